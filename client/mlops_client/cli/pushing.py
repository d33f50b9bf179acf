"""mlops push."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from mlops_client.cli import output
from mlops_client.cli.options import Json, new_client
from mlops_client.errors import BadInput

if TYPE_CHECKING:
    from mlops_client.client import Client

_VERSION = re.compile(r"(?P<model>[A-Za-z0-9][A-Za-z0-9._-]{0,99})@(?P<version>[0-9]{1,9})")


def register(app: typer.Typer) -> None:
    app.command("push")(push)


def push(
    what: Annotated[str, typer.Argument(metavar="MODEL@VERSION", help="The version, such as churn@3.")],
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="PROFILE", help="A profile of `mlops login --profile`, or the address of the other API."
        ),
    ],
    to_key: Annotated[
        str | None,
        typer.Option(
            "--to-key",
            envvar="MLOPS_TO_KEY",
            metavar="KEY",
            help="The key, if --to is an address. Better set MLOPS_TO_KEY: others can see options.",
        ),
    ] = None,
    experiment: Annotated[
        str | None,
        typer.Option("--experiment", "-e", help="Name or ID of the version's experiment. [all are searched]"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Register a version of this stack on another one, with its files, parameters and metrics.

    Promote it there: that stack's gate checks it again. A version that is there already is not registered twice.
    """
    from mlops_client import pushing

    named = _VERSION.fullmatch(what)
    if named is None:
        raise BadInput(f"{what!r} does not name a version: write it as MODEL@VERSION, such as churn@3")
    source, target = new_client(), _target(to, to_key)
    if source.url == target.url:
        raise BadInput(f"--to {to} is the stack that has the version, {source.url}: name another one")
    model, version = named["model"], int(named["version"])
    pushed = pushing.push(source, target, model, version, experiment=experiment, say=output.note)
    if as_json:
        output.print_json(pushed)
        return
    there = "is" if pushed.created else "was there before, as"
    output.print_line(f"{model} version {version} {there} version {pushed.version} of {target.url}")
    if pushed.sha256 is not None:
        output.note(f"SHA-256 {pushed.sha256}")
    output.note(f"promote it there, which checks it again: {_promotion(to, pushed.version, model)}")


def _target(to: str, key: str | None) -> Client:
    """Return a client of the other stack. Raises NotSignedIn."""
    from mlops_client.client import Client
    from mlops_client.config import read_profile
    from mlops_client.errors import NotSignedIn

    if "://" not in to:
        if key is not None:
            raise BadInput("--to-key is for an address: a profile has its own key (mlops login --profile)")
        login = read_profile(to)
        return Client(login.url, login.key)
    if key is None:
        raise NotSignedIn(
            f"no key for {to}: set MLOPS_TO_KEY, or store it with `mlops login {to} --profile NAME` and use --to NAME"
        )
    return Client(to, key)


def _promotion(to: str, version: int, model: str) -> str:
    where = f"--url {to}" if "://" in to else f"--profile {to}"
    return f"mlops {where} promote {version} --model {model}"
