"""The local AWS as one process: AWS's services on one port, the deployed API on another.

ministack reads its variables when it is imported. `infra.local.aws.environment` has them, and whoever starts this
process sets them.
"""

from __future__ import annotations

import asyncio
import resource
import shutil
from contextlib import suppress

from ministack import app as ministack
from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from infra.local.aws import patches
from infra.local.aws.batch.runner import Image
from infra.local.aws.batch.scheduler import Scheduler
from infra.local.aws.batch.service import BatchService
from infra.local.aws.batch.store import Store
from infra.local.aws.deliveries import Deliveries, send_to_failure_destination
from infra.local.aws.environment import job_environment
from infra.local.aws.gateway import with_api_port
from infra.local.aws.outlet import AwsOutlet
from infra.local.aws.persistence import Saver, finish_interrupted_stacks
from infra.local.aws.serving import Hooks, serve
from infra.local.environment import stack_credentials
from infra.local.guard.origins import own_pages_only, without_cors
from infra.local.guard.signatures import Verifier
from infra.local.guard.signed_requests import signed_only
from infra.local.settings import ACCOUNT, HOST, REGION, Settings


def main() -> int:
    """Serve until SIGTERM, then interrupt the jobs, save everything and end."""
    settings = Settings.from_environment()
    credentials = stack_credentials(settings)
    _raise_file_limit()
    shutil.rmtree(settings.aws_tmp_dir, ignore_errors=True)
    settings.aws_tmp_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = Store(settings.batch_file)
    sources = ("layers/core/python", "training_container", "client", "functions/tracking")
    packages = tuple(settings.root / folder for folder in sources)
    scheduler = Scheduler(
        store,
        Image(packages, job_environment(settings)),
        AwsOutlet(),
        slots=settings.batch_slots,
        scratch=settings.aws_tmp_dir / "jobs",
    )
    deliveries = Deliveries(
        lambda_svc._execute_function_with_config_scope, lambda_svc._functions.get, send_to_failure_destination
    )
    saver = Saver()
    batch = BatchService(store, scheduler, region=REGION, account=ACCOUNT)
    patches.apply(batch, deliveries, saver.touched, credentials)

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
        addresses = [f"{HOST}:{settings.aws_port}", f"{HOST}:{settings.api_port}"]
        asyncio.run(serve(app, addresses, Hooks(started=started, answered=saver.asked, ending=ending)))
    finally:
        lambda_runtime.reset()
        store.close()
    return 0


def _raise_file_limit() -> None:
    """Allow as many open files as the system lets this process have: each function's process takes several."""
    with suppress(ValueError, OSError):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < hard:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
