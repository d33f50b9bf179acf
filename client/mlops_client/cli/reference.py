"""docs/cli.md, from the commands themselves.

python -m mlops_client.cli.reference docs/cli.md            # write it
python -m mlops_client.cli.reference docs/cli.md --check    # exit 1 if it is not what the commands say
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from mlops_client.cli import app

HEAD = """# The command line

`pip install ./client` brings the command `mlops`; `mlops login` tells it where the platform is. This page is made from
the commands themselves (`python -m mlops_client.cli.reference docs/cli.md`), and a test holds it to them.

`--json` prints JSON on standard output, for programs; remarks and errors go to standard error. `mlops
--install-completion` completes commands and options in your shell. `NO_COLOR` switches colours off.

| exit code | means |
| --- | --- |
| 0 | done |
| 1 | refused, or what was asked for failed: a job, a gate, a request |
| 2 | wrong usage |
| 3 | no key, or one that does not allow this |
| 4 | nothing that speaks the API answers |
| 130 | a watch was ended with Ctrl-C; the job goes on |

| variable | means |
| --- | --- |
| MLOPS_API_URL, MLOPS_API_KEY | the API and the key, before what `mlops login` kept |
| MLOPS_CONFIG | the file that `mlops login` keeps them in |
| MLOPS_STACK | name of the CloudFormation stack, for `mlops keys` and `mlops ui` |
| MLFLOW_TRACKING_URI | MLflow's address, for `mlops ui` |
"""


def render() -> str:
    """The page."""
    return HEAD + "".join(_section(name, command) for name, command in commands(typer.main.get_command(app), "mlops"))


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Every command with its whole name, groups opened; the options of `mlops` itself first."""
    inner = getattr(command, "commands", None)
    if inner is None or name == "mlops":
        yield name, command
    for each, found in (inner or {}).items():
        yield from commands(found, f"{name} {each}")


def _section(name: str, command: Any) -> str:
    parameters = [each for each in command.params if each.name not in ("help", "install_completion", "show_completion")]
    arguments = [each for each in parameters if each.param_type_name == "argument"]
    options = [each for each in parameters if each.param_type_name == "option"]
    usage = " ".join([name, *(_metavar(each) for each in arguments), *(["[options]"] if options else [])])
    lines = [f"\n## {name}\n\n", _text(command.help or ""), f"\n\n```\n{usage}\n```\n"]
    if parameters:
        lines.append("\n| | |\n| --- | --- |\n")
        lines += [f"| `{_metavar(each)}` | {_text(each.help or '')} |\n" for each in arguments]
        lines += [f"| {_flags(each)} | {_text(each.help or '')} |\n" for each in options]
    return "".join(lines)


def _metavar(argument: Any) -> str:
    name = str(argument.metavar or argument.name.upper())
    shown = name if argument.required else f"[{name}]"
    return f"{shown}..." if argument.nargs == -1 else shown


def _flags(option: Any) -> str:
    return ", ".join(f"`{flag}`" for flag in [*option.opts, *option.secondary_opts])


def _text(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().replace("|", "\\|")


def main() -> int:
    """Write or check the page."""
    page = Path(sys.argv[1])
    if "--check" not in sys.argv:
        page.write_text(render())
        return 0
    if page.exists() and page.read_text() == render():
        return 0
    sys.stderr.write(f"{page} is not what the commands say: run python -m mlops_client.cli.reference {page}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
