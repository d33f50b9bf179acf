"""The command line of the local stack."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from infra.local.errors import LocalStackError
from infra.local.settings import MINISTACK, Settings

# Imported where it is used: it needs packages, and a missing one is answered in one line.
if TYPE_CHECKING:
    from infra.local.stack import Row, Stack


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, and return the exit code: 0 for success (for `status`: if everything is healthy)."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if rest and options.command != "demo":
        parser.error(f"unknown arguments: {' '.join(rest)}")
    try:
        return _run(options, rest)
    except LocalStackError as error:
        print(f"error: {error}", file=sys.stderr)
    except ModuleNotFoundError as error:
        print(f"error: the package {error.name} is missing: run `make install`", file=sys.stderr)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        print(f"error: {error.strerror or error}{where}", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted; `make down` stops everything that still runs", file=sys.stderr)
        return 130
    return 1


def _run(options: argparse.Namespace, rest: Sequence[str]) -> int:
    if options.command == "demo":
        from infra.local.demo import main as demo

        return demo(rest)
    settings = Settings.from_environment()
    if options.command == "logs":
        return _logs(settings, options)
    from infra.local import engines

    if options.command == "engine":
        engines.run_engine(settings, say=lambda text: print(text, flush=True))
        return 0
    settings = engines.chosen(settings) if options.command == "up" else engines.recorded(settings)
    from infra.local.environment import addresses
    from infra.local.stack import Stack

    stack = Stack(settings, say=lambda text: print(text, flush=True))
    if options.command == "up":
        for name, address in addresses(stack.up()).items():
            print(f"{name}: {address}")
        print("the console, signed in: .venv/bin/mlops console")
        print(f"variables for shells and tools: set -a; . {_short(settings.env_file)}; set +a")
        return 0
    if options.command == "status":
        return _status(stack)
    if options.command == "down":
        kept = "the state is kept"
        if settings.engine:
            kept = f"the LocalStack at {settings.engine} runs on, with the stack's state"
        elif settings.emulator != MINISTACK:
            kept = "LocalStack keeps no state"
        print(f"stopped; {kept}" if stack.down() else "nothing ran")
    else:
        print("stopped and removed" if stack.reset() else "nothing to remove")
    return 0


def _status(stack: Stack) -> int:
    rows = stack.status()
    widths = [max(len(str(value)) for value in column) for column in zip(*(_cells(row) for row in rows), strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(_cells(row), widths, strict=True)).rstrip())
    return 0 if all(row.healthy for row in rows) else 1


def _cells(row: Row) -> tuple[str, str, str, str]:
    return row.name, row.state, f"pid {row.pid}" if row.pid else "-", row.address


def _logs(settings: Settings, options: argparse.Namespace) -> int:
    from infra.local.stack import Stack

    files = Stack(settings).logs()
    if options.name and options.name not in files:
        raise LocalStackError(f"there is no log {options.name!r}; choose one of: {', '.join(files)}")
    chosen = {name: path for name, path in files.items() if options.name in (None, name) and path.exists()}
    if not chosen:
        raise LocalStackError("there are no logs: nothing has been started")
    opened = [(name, path.open(errors="replace")) for name, path in chosen.items()]
    for name, file in opened:
        for line in file.readlines()[-options.lines :]:
            _print_line(name, line, len(opened))
    while options.follow:
        printed = [_print_new(name, file, len(opened)) for name, file in opened]
        if not any(printed):
            time.sleep(0.3)
    return 0


def _print_new(name: str, file: TextIO, files: int) -> bool:
    lines = file.readlines()
    for line in lines:
        _print_line(name, line, files)
    return bool(lines)


def _print_line(name: str, line: str, files: int) -> None:
    print(f"{name}: {line.rstrip()}" if files > 1 else line.rstrip(), flush=True)


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.local", description="The platform on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start the stack, and deploy the template and changed code")
    commands.add_parser("down", help="stop everything, and keep the state")
    commands.add_parser("engine", help="run LocalStack alone in this terminal, for `up` with AWS_ENDPOINT_URL")
    commands.add_parser("status", help="show what is running, with addresses and health")
    commands.add_parser("reset", help="stop everything, and remove the state")
    logs = commands.add_parser("logs", help="show the end of the logs")
    logs.add_argument("name", nargs="?", help="aws, tracking, database or migrate; by default all")
    logs.add_argument("-f", "--follow", action="store_true", help="show new lines as they are written")
    logs.add_argument("-n", "--lines", type=int, default=50, help="number of lines per log (50)")
    # Its options are its own: `demo --help` lists them.
    commands.add_parser(
        "demo", help="start the platform, then train, compare, register, promote and predict", add_help=False
    )
    return parser
