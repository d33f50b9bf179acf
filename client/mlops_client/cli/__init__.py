"""The command `mlops`. Each group of commands has a module of its own; this one puts them together."""

from __future__ import annotations

import io
import sys
from typing import Annotated, Any

import typer

from mlops_client.cli import (
    access,
    artifacts,
    backups,
    bin,
    contract,
    data,
    drift,
    feedback,
    forgetting,
    governance,
    jobs,
    label_imports,
    model_types,
    notes,
    opening,
    operator,
    own_code,
    predicting,
    pushing,
    registry,
    rollouts,
    runs,
    scoring,
    training,
    webhooks,
)
from mlops_client.cli.help import GroupedCommands, epilog
from mlops_client.cli.options import SignIn
from mlops_client.cli.output import complain, further, note
from mlops_client.cli.speech import in_commands
from mlops_client.config import read_profile
from mlops_client.errors import ApiError, BadInput, Forbidden, Invalid, MlopsError, NotSignedIn, Unreachable
from mlops_client.version import __version__

EPILOG = """Exit codes:

0: success.

1: the API refused the request, or a request, a job, a sweep or a promotion failed.

2: wrong use: an invalid option, value or file, or a request that the API refuses as invalid (400, 413 or 422).

3: no API key, or a key whose role does not allow the request.

4: the API cannot be reached.

130: interrupted with Ctrl-C; a job that was watched continues."""

app = typer.Typer(
    name="mlops",
    help="Train, compare and promote models on an mlops platform, and get predictions.",
    epilog=epilog("", EPILOG),
    cls=GroupedCommands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
GROUPS: dict[str, tuple[Any, ...]] = {
    "Begin": (access,),
    "Train": (data, training, own_code, model_types, jobs),
    "Compare": (runs, artifacts, notes, opening),
    "Promote": (registry, governance, rollouts, pushing, bin),
    "Predict": (contract, predicting, scoring),
    "Watch": (drift, feedback, label_imports, forgetting, webhooks),
    "Operate, with AWS credentials": (operator, backups),
}
"""The modules of the commands by the heading below which the help lists them."""


def _registered() -> list[str]:
    return [str(command.name) for command in app.registered_commands] + [
        str(group.name) for group in app.registered_groups
    ]


for heading, modules in GROUPS.items():
    known = _registered()
    for module in modules:
        module.register(app)
    GroupedCommands.headings[heading] = [name for name in _registered() if name not in known]
for info in app.registered_commands:
    info.epilog = epilog(str(info.name))


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"mlops {__version__}")
        raise typer.Exit


@app.callback()
def _sign_in(
    url: Annotated[
        str | None,
        typer.Option(help="Address of the API. By default MLOPS_API_URL, then the one that `mlops login` stored."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(help="API key. Better set MLOPS_API_KEY: other users of this machine can see options."),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(help="A login that `mlops login --profile` stored, instead of URL and key."),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version of the client.")
    ] = False,
) -> None:
    if profile is not None and url is None and key is None:
        login = read_profile(profile)
        url, key = login.url, login.key
    SignIn.url, SignIn.key = url, key


def exit_code(error: MlopsError) -> int:
    """Return the exit code that tells a script what kind of error it was."""
    if isinstance(error, NotSignedIn | Forbidden):
        return 3
    if isinstance(error, BadInput | Invalid):
        return 2
    return 4 if isinstance(error, Unreachable) else 1


def main() -> None:
    """Run the command line. Errors of this package are printed as one line, without a stack trace."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # of an encoding without the characters of a name
    try:
        app(prog_name="mlops")
    except MlopsError as error:
        complain(in_commands(str(error)))
        for line in further(error) if isinstance(error, ApiError) else ():
            note(in_commands(line))
        sys.exit(exit_code(error))
    except OSError as error:
        # Of a file that was named: errors of the network are the package's own.
        complain(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        sys.exit(2)
