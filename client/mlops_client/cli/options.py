"""Options that several commands share, and the client that the commands use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mlops_client.client import Client

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ModelName = Annotated[str, typer.Option("--model", "-m", help="Name of the registered model.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="Show at most this many.")]
Comment = Annotated[str | None, typer.Option("--comment", "-c", help="Comment, which the history keeps.")]
Reason = Annotated[str | None, typer.Option("--reason", "-r", help="Reason, which the history keeps.")]
RunName = Annotated[
    str, typer.Argument(metavar="RUN", help="Run ID or its first characters, name of the run, or job ID.")
]
OfExperiment = Annotated[
    str | None, typer.Option("--experiment", "-e", help="Name or ID of the run's experiment. [all are searched]")
]


class SignIn:
    """Address and key from the options before the command's name, if there are any."""

    url: str | None = None
    key: str | None = None


def new_client() -> Client:
    """Return a client of the API that the user is signed in to. Raises NotSignedIn."""
    from mlops_client.client import Client

    return Client(SignIn.url, SignIn.key)
