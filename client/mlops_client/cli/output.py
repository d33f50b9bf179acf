"""What a command prints: tables that fit the terminal, JSON for programs, and errors in one line."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPED_WIDTH = 240
"""Columns of a table that goes to a file or another program, where nobody's screen limits it."""

STATUS_STYLES = {"completed": "green", "succeeded": "green", "running": "cyan", "pending": "dim", "queued": "cyan"} | {
    "failed": "red",
    "rejected": "red",
    "cancelled": "yellow",
}
STAGE_STYLES = {"Production": "bold green", "Staging": "yellow", "Archived": "dim", "Registered": ""}


def console(stderr: bool = False) -> Console:
    """A console for people; rich itself sees to NO_COLOR and to output that is no terminal."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else PIPED_WIDTH
    return Console(stderr=stderr, highlight=False, width=width, markup=False, emoji=False)


def print_json(value: Any) -> None:
    """Records, lists of them and plain values as JSON."""
    sys.stdout.write(json.dumps(_plain(value), indent=2 if sys.stdout.isatty() else None) + "\n")


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


@dataclass(frozen=True)
class Column:
    """A column; `keep` says how long it stays when the terminal is narrow: 0 goes first, 9 never."""

    name: str
    keep: int = 5
    right: bool = False
    style: str = ""


def table(columns: Sequence[Column], rows: Sequence[Sequence[Any]], width: int) -> Table:
    """A table of the columns that fit into `width`; the least wanted ones are left out whole, not squeezed."""
    cells = [[_cell(value) for value in row] for row in rows]
    shown = list(range(len(columns)))
    while len(shown) > 1 and _width(columns, cells, shown) > width:
        least = min(shown, key=lambda index: (columns[index].keep, -index))
        if columns[least].keep == 9:
            break
        shown.remove(least)
    found = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for index in shown:
        column = columns[index]
        found.add_column(
            column.name,
            justify="right" if column.right else "left",
            style=column.style,
            no_wrap=len(shown) > 1,
            overflow="ellipsis",
        )
    for row in cells:
        found.add_row(*(row[index] for index in shown))
    return found


def _width(columns: Sequence[Column], cells: list[list[Any]], shown: list[int]) -> int:
    return sum(
        max([len(columns[index].name), *(getattr(row[index], "cell_len", 12) for row in cells)]) + 2 for index in shown
    )


def _cell(value: Any) -> Any:
    if value is None:
        return Text("")
    if isinstance(value, str | int | float):
        text = str(value)
        return Text(text, style=STATUS_STYLES.get(text) or STAGE_STYLES.get(text) or "")
    return value


def show(columns: Sequence[Column], rows: Sequence[Sequence[Any]], empty: str) -> None:
    """Print a table, or `empty` when there is nothing to show."""
    out = console()
    if rows:
        out.print(table(columns, rows, out.width))
    else:
        out.print(empty, style="dim")


def percent(value: float | None) -> str:
    return "" if value is None else f"{value:.2%}"


def ago(moment: str | None) -> str:
    """How long ago an ISO 8601 time was, in the largest unit."""
    if not moment:
        return ""
    seconds = (datetime.now(UTC) - _time(moment)).total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return "just now" if seconds < 5 else f"{seconds:.0f} s ago"


def took(began: str | None, ended: str | None) -> str:
    """How long it took from one ISO 8601 time to another, or to now."""
    if not began:
        return ""
    seconds = max(0.0, ((_time(ended) if ended else datetime.now(UTC)) - _time(began)).total_seconds())
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _time(moment: str) -> datetime:
    found = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def complain(message: str) -> None:
    """An error in one line on stderr."""
    err = console(stderr=True)
    err.print(Text.assemble(("error: ", "bold red"), " ".join(message.split())), soft_wrap=True)


def note(message: str) -> None:
    """A remark on stderr, out of the way of what is piped on."""
    console(stderr=True).print(message, style="dim", soft_wrap=True)
