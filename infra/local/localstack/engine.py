"""A LocalStack that somebody else has started: what it says of itself, and what a stack on it needs of a service.

It has to run the plug-ins of this folder, as `make engine` starts it. A plain one runs functions in containers only,
which reach neither the database nor the tracking server of this machine; it has no Batch; and its CloudFormation takes
the types of Batch for made when it has made nothing.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from infra.local.errors import LocalStackError
from infra.local.localstack.environment import ABOUT, HEALTH
from infra.local.processes import Process
from infra.local.settings import HOST, Settings

_ADDRESS = re.compile(r"http://(?:localhost|127\.0\.0\.1):(\d{1,5})/?")


@dataclass(frozen=True)
class Engine:
    """Stands where a stack has the service of its own local AWS; it is neither started nor stopped.

    `address` has the form http://127.0.0.1:4566.
    """

    address: str
    name: str = "aws"

    def process(self) -> Process | None:
        """None: the process is not the stack's."""
        return None

    def healthy(self) -> bool:
        return _get(f"{self.address}{HEALTH}") is not None

    def refuse_taken_ports(self) -> None:
        """The ports are the engine's, and so taken."""

    def current(self) -> bool:
        return self.healthy()

    def launch(self) -> Callable[[], None] | None:
        """Raise LocalStackError when it does not answer."""
        if not self.healthy():
            raise LocalStackError(
                f"the LocalStack at {self.address}, which has this stack, does not answer: start it again with "
                "`make engine`, or remove the stack with `make reset AWS=localstack`"
            )
        return None

    def stop(self) -> bool:
        """False: whoever started it stops it."""
        return False


def on_engine(settings: Settings, named: str) -> Settings:
    """The settings of a stack on the LocalStack at `named`, an address such as http://localhost:4566.

    Raises LocalStackError: it is on another machine, does not answer, or has not the plug-ins.
    """
    matched = _ADDRESS.fullmatch(named)
    if matched is None:
        raise LocalStackError(
            f"AWS_ENDPOINT_URL={named!r} is no address of this machine, where the functions and jobs run: name one "
            "such as http://localhost:4566, or unset AWS_ENDPOINT_URL"
        )
    address = f"http://{HOST}:{matched[1]}"
    if not Engine(address).healthy():
        raise LocalStackError(
            f"no LocalStack answers at AWS_ENDPOINT_URL={named}: start it with `make engine`, or unset "
            "AWS_ENDPOINT_URL, and `make up AWS=localstack` starts one"
        )
    about = _get(f"{address}{ABOUT}")
    if not isinstance(about, dict) or not isinstance(about.get("api_port"), int):
        raise LocalStackError(
            f"the LocalStack at AWS_ENDPOINT_URL={named} has not the platform's plug-ins, so no Batch and no functions "
            "that reach the database: start one with `make engine`, or unset AWS_ENDPOINT_URL"
        )
    return replace(settings, engine=address, aws_port=int(matched[1]), api_port=about["api_port"])


def _get(url: str) -> Any | None:
    """The JSON of an answer with status 200; None for any other answer, or none."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=10) as response:
            return json.load(response) if response.status == 200 else None
    except (urllib.error.URLError, OSError, ValueError):
        return None
