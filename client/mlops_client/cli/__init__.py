"""The command `mlops`. Each group of commands stands in a module of its own; this one puts them together.

Exit codes: 0 done; 1 refused, or what was asked for failed; 2 wrong usage; 3 no key, or one that does not allow this;
4 nothing that speaks the API answers; 130 a watch was ended with Ctrl-C.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from mlops_client import __version__
from mlops_client.cli import access, predicting, registry, training, tried
from mlops_client.cli.options import SignIn
from mlops_client.cli.output import complain
from mlops_client.errors import Forbidden, MlopsError, NotSignedIn, Unreachable

app = typer.Typer(
    name="mlops",
    help="Train, compare, promote and ask models of an mlops platform.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
for module in (access, training, tried, registry, predicting):
    module.register(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"mlops {__version__}")
        raise typer.Exit


@app.callback()
def _sign_in(
    url: Annotated[
        str | None, typer.Option(help="The API's address; else MLOPS_API_URL, else `mlops login`'s.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="The API key; better in MLOPS_API_KEY, where other users cannot see it.")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the client's version.")
    ] = False,
) -> None:
    SignIn.url, SignIn.key = url, key


def exit_code(error: MlopsError) -> int:
    """The exit code that tells a script what kind of error it was."""
    if isinstance(error, NotSignedIn | Forbidden):
        return 3
    return 4 if isinstance(error, Unreachable) else 1


def main() -> None:
    """Run the command line; errors of ours end in one line, not in a stack trace."""
    try:
        app()
    except MlopsError as error:
        complain(str(error))
        sys.exit(exit_code(error))
