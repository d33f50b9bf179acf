"""A local stack for one bench: on ports of its own, beside whatever else is up, and gone afterwards."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.local.api import Api
from infra.local.processes import free_ports
from infra.local.settings import Settings
from infra.local.stack import Stack


@contextmanager
def local_stack() -> Iterator[tuple[Settings, dict[str, str]]]:
    """Its settings, and the variables of its `.local/env`."""
    api_port, tracking_port, aws_port = free_ports(3)
    with tempfile.TemporaryDirectory(prefix="mlops-bench-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as a user of its own where we are root
        settings = Settings(api_port, tracking_port, aws_port, home=Path(folder) / "stack")
        stack = Stack(settings, say=lambda text: None)
        try:
            yield settings, stack.up()
        finally:
            stack.reset()


def api_of(variables: dict[str, str]) -> Api:
    """The stack's API with its admin key."""
    return Api(variables["MLOPS_API_URL"], variables["MLOPS_API_KEY"])
