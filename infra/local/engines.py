"""Which LocalStack a stack is on: one that it starts itself, or one that is up already; and how to start such a one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace

from infra.local import folder
from infra.local.environment import (
    aws_environment,
    child_environment,
    ensure_credentials,
    without_proxy,
    write_env,
)
from infra.local.errors import LocalStackError
from infra.local.localstack.build import install
from infra.local.localstack.engine import on_engine
from infra.local.processes import Process, write_atomically
from infra.local.services import aws_service
from infra.local.settings import LOCALSTACK, Settings

# Jobs first get 30 s to checkpoint, as in a stack that has its own.
_STOP_SECONDS = 60.0


def chosen(settings: Settings, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings for `up`: with the LocalStack that AWS_ENDPOINT_URL names, or that the stack is on already.

    Without both, and where the variable has the address of the stack's own LocalStack, they stay as they are. Raises
    LocalStackError: the LocalStack that is named cannot be used, or the stack is on another one.
    """
    named = (os.environ if environ is None else environ).get("AWS_ENDPOINT_URL", "").rstrip("/")
    kept = recorded(settings)
    if settings.emulator != LOCALSTACK or not named:
        return kept
    local = named.replace("//localhost:", "//127.0.0.1:")
    if kept.engine:
        if local != kept.engine:
            raise LocalStackError(
                f"the stack in {settings.home} is on the LocalStack at {kept.engine}, and AWS_ENDPOINT_URL is {named}: "
                "unset it, or remove the stack with `make reset AWS=localstack`"
            )
        return kept
    if aws_service(settings).process() is not None:
        if local != settings.aws_url:
            raise LocalStackError(
                f"the stack has its own LocalStack at {settings.aws_url}, and AWS_ENDPOINT_URL is {named}: unset it, "
                "or stop the stack with `make down AWS=localstack`"
            )
        return settings
    if local == settings.aws_url and not _answers(settings):
        # A shell with the variables of a stack that was stopped.
        return settings
    return on_engine(settings, named)


def recorded(settings: Settings) -> Settings:
    """The settings with the LocalStack that the stack in this folder is on, if it did not start it itself."""
    try:
        record = json.loads(settings.engine_file.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return settings
    return replace(settings, engine=record["address"], aws_port=record["aws_port"], api_port=record["api_port"])


def record(settings: Settings) -> None:
    """Keep which LocalStack the stack is on, for `recorded`."""
    ports = {"aws_port": settings.aws_port, "api_port": settings.api_port}
    write_atomically(settings.engine_file, json.dumps({"address": settings.engine, **ports}))


def run_engine(settings: Settings, say: Callable[[str], None]) -> None:
    """Run a LocalStack with the plug-ins, in a folder beside that of the stack, until it ends or this is interrupted.

    Raises LocalStackError: LocalStack cannot be installed, runs already, fails, or a port is taken.
    """
    settings = replace(settings, emulator=LOCALSTACK, home=settings.home.with_name(f"{settings.home.name}-engine"))
    folder.prepare(settings)
    service = aws_service(settings)
    if (running := service.process()) is not None:
        raise LocalStackError(f"it runs already (pid {running.pid}), with the variables in {settings.env_file}")
    service.refuse_taken_ports()
    ensure_credentials(settings)
    if install(settings):
        say("LocalStack is installed")
    folder.forget(settings)
    write_env(settings.env_file, {**aws_environment(settings), **without_proxy()})
    environment = {**child_environment(), **service.environment()}
    say(f"LocalStack starts at {settings.aws_url}; Ctrl-C ends it, and it keeps nothing")
    say(f"in another shell: set -a; . {settings.env_file}; set +a; make up AWS=localstack")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # In a session of its own: the terminal's Ctrl-C comes here, and from here as one signal that has a time limit.
    child = subprocess.Popen(service.command, cwd=service.cwd, env=environment, start_new_session=True)
    try:
        if child.wait() != 0:
            raise LocalStackError(f"LocalStack ended with the code {child.returncode}; the lines above say why")
    except KeyboardInterrupt:
        say("LocalStack ends")
    finally:
        if child.poll() is None and (process := Process.of(child.pid)) is not None:
            process.stop(_STOP_SECONDS)


def _answers(settings: Settings) -> bool:
    return aws_service(settings).healthy()
