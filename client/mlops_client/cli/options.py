"""Options that several commands share, and the client they sign in with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mlops_client.client import Client

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
ModelName = Annotated[str, typer.Option("--model", "-m", help="Name of the registered model.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="How many to show.")]
Reason = Annotated[str | None, typer.Option("--reason", "-r", help="Why; it stands in the history.")]
DEFAULT_MODEL = "digit-classifier"


class SignIn:
    """The address and key given before the command's name, if any."""

    url: str | None = None
    key: str | None = None


def client() -> Client:
    """Raises NotSignedIn."""
    from mlops_client.client import Client

    return Client(SignIn.url, SignIn.key)
