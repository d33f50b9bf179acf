"""Run one function in this process against the local stack that is up: python -m tools.invoke predict [EVENT.json]

`breakpoint()` in its code opens the debugger here, and in a terminal an exception does so too. The function gets the
variables that the stack deployed it with. Without a file, the event is the one in events/, with the key of the stack.
"""

import json
import os
import pdb
import sys
import traceback
import uuid
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3

from infra.local import deploy
from infra.local.engines import recorded
from infra.local.environment import read_env
from infra.local.packaging import read_template
from infra.local.settings import ROOT, Settings


def handler_of(name: str) -> tuple[Callable[[Any, Any], Any], Any]:
    """Import the handler of a function, with its variables in the environment, and make a context for the call.

    Raises:
        LookupError: The template or the local stack has no function of that name; the message says which of them.
    """
    template = read_template(ROOT / "template.yaml")
    by_folder = {
        Path(properties["CodeUri"]).name: logical_id
        for logical_id, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function" and "CodeUri" in (properties := resource["Properties"])
    }
    if f"{name.capitalize()}Function" in template["Resources"] and name not in by_folder:
        raise LookupError(f"{name} is an image: make up runs it as a server")
    if name not in by_folder:
        raise LookupError(f"there is no function {name!r}; choose one of: {', '.join(sorted(by_folder))}")
    physical = deploy.physical_ids(recorded(Settings.from_environment()))
    if by_folder[name] not in physical:
        raise LookupError(f"the local stack has no {by_folder[name]}: it exists on AWS only")
    deployed = boto3.client("lambda").get_function_configuration(FunctionName=physical[by_folder[name]])
    os.environ |= deployed["Environment"]["Variables"]
    sys.path[:0] = [
        str(ROOT / folder) for folder in (f"functions/{name}", "layers/core/python", "console/layer/python")
    ]
    module, _, attribute = deployed["Handler"].rpartition(".")
    context = SimpleNamespace(
        function_name=deployed["FunctionName"],
        invoked_function_arn=deployed["FunctionArn"],
        memory_limit_in_mb=deployed["MemorySize"],
        aws_request_id=str(uuid.uuid4()),
        get_remaining_time_in_millis=lambda: deployed["Timeout"] * 1000,
    )
    return getattr(import_module(module), attribute), context


def as_the_stacks_key(event: dict[str, Any]) -> dict[str, Any]:
    """Put the key of `.local/env` into an event of the API; other events stay as they are."""
    identity = event.get("requestContext", {}).get("identity")
    if identity is not None:
        keys = boto3.client("apigateway").get_api_keys(includeValues=True)["items"]
        identity["apiKeyId"] = next(key["id"] for key in keys if key.get("value") == os.environ["MLOPS_API_KEY"])
    return event


def main(name: str, file: str | None = None) -> int:
    environment = read_env(Settings.from_environment().env_file)
    if not environment:
        print("error: the local stack is not running: run make up", file=sys.stderr)
        return 1
    # A profile or an endpoint of the shell would lead the function elsewhere.
    for variable in [each for each in os.environ if each.startswith(("AWS_", "PG"))]:
        del os.environ[variable]
    os.environ |= environment
    try:
        handler, context = handler_of(name)
    except LookupError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    event = json.loads(Path(file).read_text()) if file else as_the_stacks_key(json.loads(_event_of(name)))
    try:
        print(json.dumps(handler(event, context), indent=2))
    except Exception:
        if not sys.stdin.isatty():
            raise
        traceback.print_exc()
        pdb.post_mortem()
        return 1
    return 0


def _event_of(name: str) -> str:
    return (ROOT / "events" / f"{name}.json").read_text()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
