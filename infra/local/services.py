"""The stack's two servers: how each is started, found healthy, and stopped."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from infra.local.aws.environment import server_environment
from infra.local.database import Database
from infra.local.environment import aws_environment, child_environment
from infra.local.errors import LocalStackError
from infra.local.guard import signed_requests
from infra.local.guard.identity import CODE_ROLE, TRAINER_ROLE
from infra.local.localstack import environment as localstack
from infra.local.localstack.build import function_python
from infra.local.localstack.engine import Engine
from infra.local.processes import (
    Process,
    ProcessFile,
    port_taken,
    start_detached,
    wait_until_ready,
    write_atomically,
)
from infra.local.settings import HOST, LOCALSTACK, Settings

# The AWS first gives training jobs 30 s to checkpoint.
_STOP_SECONDS = {"aws": 60.0, "tracking": 10.0}
_READY_SECONDS = 60.0


@dataclass(frozen=True)
class Service:
    """A server process of the stack.

    `environment` gives, when it is started, what it gets beside the caller's own; `ports` are by the variable that sets
    each; `health` is the address that answers 200 once it serves; a change of one of `sources` makes a running process
    an old one.
    """

    name: str
    command: Sequence[str]
    cwd: Path
    environment: Callable[[], Mapping[str, str]]
    ports: Mapping[str, int]
    health: str
    settings: Settings
    sources: Sequence[Path]

    @property
    def log(self) -> Path:
        return self.settings.log_dir / f"{self.name}.log"

    @property
    def address(self) -> str:
        return ", ".join(f"{HOST}:{port}" for port in self.ports.values())

    @property
    def _file(self) -> ProcessFile:
        return ProcessFile(self.settings.run_dir / f"{self.name}.json")

    @property
    def _stamp(self) -> Path:
        return self.settings.run_dir / f"{self.name}.stamp"

    def process(self) -> Process | None:
        """The running process, found by its record or, where that says nothing, by what it is."""
        return self._file.read() or self._search()

    def healthy(self) -> bool:
        return _answers(self.health)

    def refuse_taken_ports(self) -> None:
        """Raise LocalStackError for a port that somebody else listens on."""
        if self.process() is None:
            for variable, port in self.ports.items():
                taken = port_taken(port)
                if taken is not None:
                    raise LocalStackError(
                        f"port {port} ({self.name}) is taken{taken}: stop that program, or set {variable} to another "
                        "port"
                    )

    def current(self) -> bool:
        """Whether the process runs, and as it would be started now."""
        if self.process() is None or not self._stamp.exists():
            return False
        return self._stamp.read_text() == self._digest(self.environment()) and self.healthy()

    def launch(self) -> Callable[[], None] | None:
        """Start the process unless it runs as it should; returns what waits for it, or None when nothing is due."""
        if self.current():
            return None
        self.stop()
        self.refuse_taken_ports()
        own = self.environment()
        if self.log.exists():
            os.replace(self.log, self.log.with_suffix(".log.1"))
        environment = {**child_environment(), **own}
        started = start_detached(self.command, log=self.log, cwd=self.cwd, env=environment)
        self._file.write(started)
        write_atomically(self._stamp, self._digest(own))
        return lambda: wait_until_ready(self.name, started, self.healthy, log=self.log, seconds=_READY_SECONDS)

    def stop(self) -> bool:
        """Stop the process; False if it did not run."""
        process = self.process()
        stopped = process is not None and process.stop(_STOP_SECONDS[self.name])
        self._file.remove()
        return stopped

    def _search(self) -> Process | None:
        # Another version of the stack may have started it, with other arguments, so the module has to do.
        module = list(self.command[1:3])
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                same = process.cmdline()[1:3] == module
                if same and process.environ().get("MLOPS_LOCAL_DIR") == str(self.settings.home):
                    return Process.of(process.pid)
        return None

    def _digest(self, environment: Mapping[str, str]) -> str:
        start = [list(self.command), str(self.cwd), dict(environment)]
        digest = hashlib.sha256(json.dumps(start, sort_keys=True).encode())
        for source in self.sources:
            for file in sorted(source.rglob("*.py")) if source.is_dir() else (source,):
                digest.update(file.name.encode() + b"\0" + file.read_bytes())
        return digest.hexdigest()


def aws_of(settings: Settings) -> Service | Engine:
    """The local AWS of a stack: its own service, or a LocalStack that is up without it."""
    return Engine(settings.engine) if settings.engine else aws_service(settings)


def aws_service(settings: Settings) -> Service:
    """The local AWS and, on a port of its own, the API deployed in it."""
    here = Path(__file__).parent
    python, module, health = sys.executable, "infra.local.aws", signed_requests.HEALTH
    environment = partial(server_environment, settings)
    if settings.emulator == LOCALSTACK:
        python, module = str(localstack.venv(settings) / "bin/python"), "infra.local.localstack"
        environment, health = partial(_localstack_environment, settings), localstack.HEALTH
    return Service(
        name="aws",
        command=(python, "-m", module),
        cwd=settings.root,
        environment=environment,
        ports={"MLOPS_AWS_PORT": settings.aws_port, "MLOPS_API_PORT": settings.api_port},
        health=f"http://{HOST}:{settings.aws_port}{health}",
        settings=settings,
        sources=(here / "aws", here / "guard", here / "localstack", here / "credentials.py"),
    )


def _localstack_environment(settings: Settings) -> dict[str, str]:
    return localstack.server_environment(settings, function_python())


def tracking_service(settings: Settings, database: Database, bucket: str) -> Service:
    """The tracking function's ASGI app under uvicorn, as MLflow's server."""
    here = Path(__file__).parent
    folder = settings.root / "functions/tracking"
    layer = settings.root / "layers/core/python"

    def environment() -> dict[str, str]:
        return {
            **database.address().environment("mlflow_rw"),
            "MLOPS_LOCAL_DIR": str(settings.home),
            **aws_environment(settings),
            "ARTIFACT_BUCKET": bucket,
            "TRAINER_ROLE": TRAINER_ROLE,
            "CODE_ROLES": CODE_ROLE,
            "MLFLOW_SERVER_ALLOWED_HOSTS": "localhost,localhost:*,127.0.0.1,127.0.0.1:*",
            "PYTHONPATH": os.pathsep.join(map(str, (layer, folder, settings.root))),
            "PYTHONUNBUFFERED": "1",
            "TMPDIR": str(settings.tracking_tmp_dir),
        }

    return Service(
        name="tracking",
        command=(
            # Who asks is the connection's other end, whatever a header says.
            *(sys.executable, "-m", "uvicorn", "infra.local.tracking:application", "--no-proxy-headers"),
            *("--host", HOST, "--port", str(settings.tracking_port), "--no-access-log"),
        ),
        cwd=folder,
        environment=environment,
        ports={"MLOPS_TRACKING_PORT": settings.tracking_port},
        health=f"http://{HOST}:{settings.tracking_port}/health",
        settings=settings,
        sources=(
            *(folder / "tracking", layer / "mlops/registry/sql/database.py", layer / "mlops/settings.py"),
            *(here / "guard", here / "tracking.py"),
        ),
    )


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=10) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
