"""Options that several commands share, and the client that they sign in with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mlops_client.client import Client

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ModelName = Annotated[str, typer.Option("--model", "-m", help="Name of the registered model.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="How many to show at most.")]
Reason = Annotated[str | None, typer.Option("--reason", "-r", help="The reason, for the model's history.")]


class SignIn:
    """The address and key given before the command's name, if any."""

    url: str | None = None
    key: str | None = None


def new_client() -> Client:
    """Return a client of the API that the person is signed in to. Raises NotSignedIn."""
    from mlops_client.client import Client

    return Client(SignIn.url, SignIn.key)
