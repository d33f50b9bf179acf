"""The local AWS as one process: `python -m infra.local.aws`, with the settings in its environment.

It serves AWS's services on one port and the deployed API on another.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import shutil
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from infra.local.aws.batch.runner import Image
from infra.local.aws.batch.scheduler import Scheduler
from infra.local.aws.batch.service import BatchService
from infra.local.aws.batch.store import Store
from infra.local.environment import aws_environment, stack_credentials, without_proxy
from infra.local.guard.identity import TRAINER_TOKEN
from infra.local.guard.origins import own_pages_only, without_cors
from infra.local.guard.signatures import Verifier
from infra.local.guard.signed_requests import signed_only
from infra.local.settings import ACCOUNT, HOST, REGION, Settings

log = logging.getLogger("aws")


def environment(settings: Settings) -> dict[str, str]:
    """The launcher's own variables, which ministack reads at import and which functions inherit.

    PYTHONPATH is not among them: a function must find its packages in its layers, as on AWS.
    """
    return {
        **settings.to_environment(),
        **without_proxy(),
        **stack_credentials(settings).to_environment(),
        "GATEWAY_PORT": str(settings.aws_port),
        "BIND_HOST": HOST,
        "MINISTACK_REGION": REGION,
        "PERSIST_STATE": "1",
        "STATE_DIR": str(settings.aws_dir / "state"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(settings.aws_dir / "s3"),
        "TMPDIR": str(settings.aws_tmp_dir),
        # Both would listen on every interface.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # No container engine is looked for, even where there is one.
        "DOCKER_HOST": f"unix://{settings.run_dir}/no-docker.sock",
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "ignore::DeprecationWarning",
    }


class Outlet:
    """Batch's events and logs, handed to EventBridge and CloudWatch Logs on the server's own thread."""

    def __init__(self) -> None:
        self._context = contextvars.copy_context()

    def state_changed(self, detail: dict[str, Any]) -> None:
        from ministack.services import eventbridge

        entry = {
            "Source": "aws.batch",
            "DetailType": "Batch Job State Change",
            "Detail": json.dumps(detail),
            "Resources": [detail["jobArn"]],
        }
        # Sources aws.* are refused from callers and open to the services themselves, by this flag.
        self._soon(partial(eventbridge._put_events, {"Entries": [entry]}, True))

    def write_log(self, group: str, stream: str, lines: Sequence[tuple[int, str]]) -> None:
        self._soon(partial(_append_log, group, stream, tuple(lines)))

    def _soon(self, call: partial[Any]) -> None:
        from ministack import app

        loop = app._MAIN_LOOP
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(partial(self._context.copy().run, call))


def _append_log(group: str, stream: str, lines: Sequence[tuple[int, str]]) -> None:
    from ministack.services import cloudwatch_logs as logs

    if group not in logs._log_groups:
        logs._create_log_group({"logGroupName": group})
    if stream not in logs._log_groups[group]["streams"]:
        logs._create_log_stream({"logGroupName": group, "logStreamName": stream})
    if lines:
        events = [{"timestamp": when, "message": text or " "} for when, text in lines]
        logs._put_log_events({"logGroupName": group, "logStreamName": stream, "logEvents": events})


def main() -> int:
    """Serve until SIGTERM, then interrupt the jobs, save everything and end."""
    settings = Settings.from_environment()
    credentials = stack_credentials(settings)
    # ministack reads its environment when it is imported, so these stand here.
    from ministack import app as ministack
    from ministack.core import lambda_runtime
    from ministack.services import lambda_svc

    from infra.local.aws import patches
    from infra.local.aws.deliveries import Deliveries
    from infra.local.aws.gateway import with_api_port
    from infra.local.aws.persistence import Saver, finish_interrupted_stacks

    _raise_file_limit()
    shutil.rmtree(settings.aws_tmp_dir, ignore_errors=True)
    settings.aws_tmp_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = Store(settings.batch_file)
    image = Image((settings.root / "layers/core/python", settings.root / "training_container"), _container(settings))
    scratch = settings.aws_tmp_dir / "jobs"
    scheduler = Scheduler(store, image, Outlet(), slots=settings.batch_slots, scratch=scratch)
    deliveries = Deliveries(
        lambda_svc._execute_function_with_config_scope, lambda_svc._functions.get, _send_to_failure_destination
    )
    saver = Saver()
    service = BatchService(store, scheduler, region=REGION, account=ACCOUNT)
    patches.apply(service, deliveries, saver.touched, credentials)

    def started() -> None:
        finish_interrupted_stacks()
        scheduler.start()
        saver.start()

    def ending() -> None:
        # The jobs go first, while there is still an AWS to write their checkpoints to.
        scheduler.stop()
        deliveries.close()
        saver.stop()

    try:
        aws = without_cors(signed_only(ministack.app, Verifier(credentials)))
        app = own_pages_only(with_api_port(aws, settings.api_port))
        asyncio.run(_serve(app, settings, started, ending, saver.asked))
    finally:
        lambda_runtime.reset()
        store.close()
    return 0


async def _serve(
    app: Callable[..., Any],
    settings: Settings,
    started: Callable[[], None],
    ending: Callable[[], None],
    answered: Callable[[], None],
) -> None:
    """Serve both ports until SIGTERM or SIGINT.

    `answered` is called after each request; `ending` runs, in a thread, while the ports still answer.
    """
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    # One line a request comes from the gateway, and one a saved file says nothing.
    for name in ("hypercorn.access", "persistence"):
        logging.getLogger(name).setLevel(logging.WARNING)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    signalled = False

    def end() -> None:
        try:
            ending()
        finally:
            loop.call_soon_threadsafe(stop.set)

    def on_signal() -> None:
        nonlocal signalled
        if not signalled:
            signalled = True
            threading.Thread(target=end, name="shutdown").start()

    async def with_hook(scope: Any, receive: Any, send: Any) -> None:
        async def hooked(message: Any) -> None:
            if message["type"] == "lifespan.startup.complete":
                started()
            await send(message)

        if scope["type"] == "lifespan":
            await app(scope, receive, hooked)
            return
        try:
            await app(scope, receive, send)
        finally:
            answered()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    config = Config()
    config.bind = [f"{HOST}:{settings.aws_port}", f"{HOST}:{settings.api_port}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 3
    config.loglevel = "WARNING"
    await serve(with_hook, config, shutdown_trigger=stop.wait)


def _container(settings: Settings) -> dict[str, str]:
    """What ECS gives a task: credentials, which the tracking server knows by a token, and a region; and, in place of
    AWS's addresses, this process's."""
    own = {"AWS_REGION": REGION, "MLFLOW_TRACKING_TOKEN": TRAINER_TOKEN}
    return {**without_proxy(), **aws_environment(settings), **own}


def _send_to_failure_destination(function: dict[str, Any], event: Any, result: dict[str, Any]) -> None:
    from ministack.services import lambda_svc

    config = function.get("config") or function
    name = config.get("FunctionName", "")
    log.warning("%s failed on every try of an event: %s", name, result.get("body"))
    invoke = function.get("event_invoke_config") or (function.get("event_invoke_configs") or {}).get("$LATEST") or {}
    destination = ((invoke.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination") or (
        config.get("DeadLetterConfig") or {}
    ).get("TargetArn")
    if destination:
        lambda_svc._run_with_function_config_scope(
            config, lambda_svc._route_async_failure, destination, name, event, result
        )


def _raise_file_limit() -> None:
    with suppress(ImportError, ValueError, OSError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < hard:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
