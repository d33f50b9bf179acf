"""Where the stack listens and where it keeps its state."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.local.errors import LocalStackError

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
REGION = "us-east-1"
ACCOUNT = "000000000000"
STACK_NAME = "mlops-local"
MINISTACK, LOCALSTACK = "ministack", "localstack"
EMULATORS = {MINISTACK: ".local", LOCALSTACK: ".localstack"}
"""The programs that can be the local AWS, each with the default name of the folder of its stack."""

# A colon separates the folders in PYTHONPATH and its kin, and venv refuses it; PostgreSQL's programs hand each other
# their paths through a shell, between double quotes. Spaces and all other characters may stand in a path, but for that
# of the checkout: MLflow, whose migrations lie below .venv, takes a % in their path for a reference.
_REFUSED_IN_PATHS = ':"$`\\\n'
_REFUSED_FOR_CHECKOUT = _REFUSED_IN_PATHS + "%"


@dataclass(frozen=True)
class Settings:
    """Ports, folders, the number of training jobs that run at a time, and which program is the local AWS.

    `home` holds everything the stack writes; `root` is the checkout whose template and folders it deploys; `emulator`
    is one of `EMULATORS`; `engine` is the address of a LocalStack that was not started by the stack, empty if it starts
    its own.
    """

    api_port: int = 8000
    tracking_port: int = 5000
    aws_port: int = 4566
    home: Path = ROOT / ".local"
    root: Path = ROOT
    batch_slots: int = max(1, os.cpu_count() or 1)
    emulator: str = MINISTACK
    engine: str = ""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read MLOPS_API_PORT, MLOPS_TRACKING_PORT, MLOPS_AWS_PORT, MLOPS_LOCAL_DIR, MLOPS_BATCH_SLOTS and MLOPS_AWS.

        Raises LocalStackError naming the variable whose value cannot be used, or the folder.
        """
        environ = os.environ if environ is None else environ
        emulator = environ.get("MLOPS_AWS", "").strip() or MINISTACK
        if emulator not in EMULATORS:
            raise LocalStackError(f"MLOPS_AWS={emulator!r} is no local AWS: choose one of {', '.join(EMULATORS)}")
        settings = cls(
            api_port=_number(environ, "MLOPS_API_PORT", cls.api_port, 1, 65535),
            tracking_port=_number(environ, "MLOPS_TRACKING_PORT", cls.tracking_port, 1, 65535),
            aws_port=_number(environ, "MLOPS_AWS_PORT", cls.aws_port, 1, 65535),
            home=(ROOT / (environ.get("MLOPS_LOCAL_DIR") or EMULATORS[emulator])).expanduser().resolve(),
            batch_slots=_number(environ, "MLOPS_BATCH_SLOTS", cls.batch_slots, 1, 1024),
            emulator=emulator,
        )
        ports = settings.ports()
        for variable, port in ports.items():
            for other, same in ports.items():
                if variable < other and port == same:
                    raise LocalStackError(f"{variable} and {other} are both {port}: give each another port")
        _refuse_path("the checkout", settings.root, _REFUSED_FOR_CHECKOUT, "move it to another folder")
        _refuse_path("MLOPS_LOCAL_DIR", settings.home, _REFUSED_IN_PATHS, "name another folder")
        return settings

    def to_environment(self) -> dict[str, str]:
        """The variables `from_environment` reads: how a child process gets the same settings."""
        return {
            **{name: str(port) for name, port in self.ports().items()},
            "MLOPS_LOCAL_DIR": str(self.home),
            "MLOPS_BATCH_SLOTS": str(self.batch_slots),
            "MLOPS_AWS": self.emulator,
        }

    def ports(self) -> dict[str, int]:
        """Port by the variable that sets it."""
        return {
            "MLOPS_API_PORT": self.api_port,
            "MLOPS_TRACKING_PORT": self.tracking_port,
            "MLOPS_AWS_PORT": self.aws_port,
        }

    @property
    def api_url(self) -> str:
        return f"http://{HOST}:{self.api_port}"

    @property
    def tracking_url(self) -> str:
        return f"http://{HOST}:{self.tracking_port}"

    @property
    def aws_url(self) -> str:
        return f"http://{HOST}:{self.aws_port}"

    @property
    def marker(self) -> Path:
        """Present in a folder this stack made; `reset` removes no other."""
        return self.home / ".mlops-local-stack"

    @property
    def env_file(self) -> Path:
        return self.home / "env"

    @property
    def engine_file(self) -> Path:
        """Which LocalStack the stack is on that it has not started."""
        return self.home / "engine.json"

    @property
    def log_dir(self) -> Path:
        return self.home / "log"

    @property
    def run_dir(self) -> Path:
        """Process records and the lock of `up`."""
        return self.home / "run"

    @property
    def aws_tmp_dir(self) -> Path:
        """Unpacked functions and the folders of running jobs; emptied whenever the local AWS starts."""
        return self.home / "tmp/aws"

    @property
    def tracking_tmp_dir(self) -> Path:
        return self.home / "tmp/tracking"

    @property
    def database_dir(self) -> Path:
        return self.home / "postgres"

    @property
    def aws_dir(self) -> Path:
        """State of the local AWS: its services, S3 objects, Batch jobs."""
        return self.home / "aws"

    @property
    def batch_file(self) -> Path:
        return self.aws_dir / "batch.sqlite"


def _number(environ: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = environ.get(name, "").strip()
    if not text:
        return default
    if not text.isdecimal() or not low <= int(text) <= high:
        raise LocalStackError(f"{name}={text!r} is not a number from {low} to {high}")
    return int(text)


def _refuse_path(name: str, path: Path, characters: str, remedy: str) -> None:
    for character in characters:
        if character in str(path):
            raise LocalStackError(
                f"{name} {str(path)!r} has a {character!r} in its path, which is not supported: {remedy}"
            )
