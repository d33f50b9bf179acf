"""The command `mlops`. Each group of commands has a module of its own; this one puts them together."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from mlops_client.cli import access, drift, jobs, operator, predicting, registry, runs, training
from mlops_client.cli.options import SignIn
from mlops_client.cli.output import complain
from mlops_client.errors import BadInput, Forbidden, Invalid, MlopsError, NotSignedIn, Unreachable
from mlops_client.version import __version__

EPILOG = """Exit codes:

0: done.

1: refused, or what was asked for failed (a job, a gate, a request).

2: wrong use: an option, a value or a file that is not valid, or a request that the API refuses as not valid (422).

3: no key, or a key that does not allow this.

4: nothing that speaks the API answers.

130: ended with Ctrl-C; a job that was watched goes on."""

app = typer.Typer(
    name="mlops",
    help="Train, compare, promote and ask models of an mlops platform.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
for module in (access, training, jobs, runs, registry, predicting, drift, operator):
    module.register(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"mlops {__version__}")
        raise typer.Exit


@app.callback()
def _sign_in(
    url: Annotated[
        str | None,
        typer.Option(help="The API's address; by default MLOPS_API_URL, then what `mlops login` stored."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(help="The API key; better set MLOPS_API_KEY, which other users of this machine cannot see."),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the client's version.")
    ] = False,
) -> None:
    SignIn.url, SignIn.key = url, key


def exit_code(error: MlopsError) -> int:
    """Return the exit code that tells a script what kind of error it was."""
    if isinstance(error, NotSignedIn | Forbidden):
        return 3
    if isinstance(error, BadInput | Invalid):
        return 2
    return 4 if isinstance(error, Unreachable) else 1


def main() -> None:
    """Run the command line. Errors of this package end in one line, not in a stack trace."""
    try:
        app()
    except MlopsError as error:
        complain(str(error))
        sys.exit(exit_code(error))
