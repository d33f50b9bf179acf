"""Output of commands: tables that fit the terminal, JSON for programs, and errors in one line."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from mlops_client.models import Progress

PIPED_WIDTH = 240
"""Width in characters of a table that goes to a file or another program."""

LEAST_WRAPPED = 30
"""Width in characters below which a column that wraps is not made narrower for others."""

STATUS_STYLES = {"completed": "green", "succeeded": "green", "running": "cyan", "pending": "dim", "queued": "cyan"} | {
    "converting": "cyan",
    "awaiting_approval": "yellow",
    "failed": "red",
    "rejected": "red",
    "cancelled": "yellow",
    "pruned": "yellow",
}
STAGE_STYLES = {"Production": "bold green", "Staging": "yellow", "Archived": "dim", "Registered": ""}
CONTROL_CHARACTERS = {code: None for code in (*range(0x20), 0x7F, *range(0x80, 0xA0)) if chr(code) not in "\n\t"}
"""C0 and C1: with them a name or a log line could move the cursor, rename the window, or send keyboard input."""


class SafeConsole(Console):
    """A console that removes control characters from everything that it prints."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(segment.text.translate(CONTROL_CHARACTERS), segment.style)


def console(stderr: bool = False) -> Console:
    """Return a console for people. rich respects NO_COLOR, and output that is not a terminal."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else PIPED_WIDTH
    return SafeConsole(stderr=stderr, highlight=False, width=width, markup=False, emoji=False)


def print_line(text: str) -> None:
    """Print one line unwrapped, however long it is: for results that programs read too."""
    console().print(text, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print records, lists of them and plain values as JSON."""
    sys.stdout.write(json.dumps(_plain(value), indent=2 if sys.stdout.isatty() else None) + "\n")


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        keep: Priority when the terminal is narrow: 0 is left out first, 9 is never left out.
        wrap: Whether its cells may take several lines. Other cells are cut off.
    """

    name: str
    keep: int = 5
    right: bool = False
    style: str = ""
    wrap: bool = False


def table(columns: Sequence[Column], rows: Sequence[Sequence[Any]], width: int) -> Table:
    """Return a table of the columns that fit into `width`. The least important ones are left out."""
    cells = [[_cell(value) for value in row] for row in rows]
    shown = list(range(len(columns)))
    while len(shown) > 1 and _width(columns, cells, shown) > width:
        least = min(shown, key=lambda index: (columns[index].keep, -index))
        if columns[least].keep == 9:
            break
        shown.remove(least)
    result = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for index in shown:
        column = columns[index]
        result.add_column(
            column.name,
            justify="right" if column.right else "left",
            style=column.style,
            no_wrap=len(shown) > 1 and not column.wrap,
            overflow="fold" if column.wrap else "ellipsis",
        )
    for row in cells:
        result.add_row(*(row[index] for index in shown))
    return result


def _width(columns: Sequence[Column], cells: list[list[Any]], shown: list[int]) -> int:
    return sum(
        max([len(columns[index].name), *(_length(columns[index], row[index]) for row in cells)]) + 2 for index in shown
    )


def _length(column: Column, cell: Any) -> int:
    length: int = getattr(cell, "cell_len", 12)
    return min(length, LEAST_WRAPPED) if column.wrap else length


def _cell(value: Any) -> Any:
    if value is None:
        return Text("")
    if isinstance(value, str | int | float):
        text = str(value)
        return Text(text, style=STATUS_STYLES.get(text) or STAGE_STYLES.get(text) or "")
    return value


def show(columns: Sequence[Column], rows: Sequence[Sequence[Any]], empty: str) -> None:
    """Print a table, or `empty` when there are no rows."""
    out = console()
    if rows:
        out.print(table(columns, rows, out.width))
    else:
        out.print(empty, style="dim")


def show_limit(shown: int, total: int) -> None:
    """Say how many rows are not shown, if there are any."""
    if total > shown:
        note(f"{shown} of {total}; use --limit to see more")


def complain(message: str) -> None:
    """Print an error in one line on stderr."""
    err = console(stderr=True)
    err.print(Text.assemble(("error: ", "bold red"), " ".join(message.split())), soft_wrap=True)


def note(message: str) -> None:
    """Print a remark on stderr, so that it is not piped on."""
    shown = console(stderr=True)
    # A line in a file stays one line.
    shown.print(message, style="dim", soft_wrap=not shown.is_terminal)


def percent(value: float | None) -> str:
    """Return a share as a percentage."""
    return "" if value is None else f"{value:.2%}"


def number(value: object, digits: int = 4) -> str:
    """Return a number in few digits, and any other value as it is."""
    try:
        return f"{float(value):.{digits}g}"  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return "" if value is None else str(value)


def progress(reached: Progress, of: str = "/") -> str:
    """Return `3/10`; `3` if it is not known how many epochs there are."""
    return f"{reached.epoch}{of}{reached.epochs}" if reached.epochs else str(reached.epoch)


def ago(moment: str | None) -> str:
    """Return how long ago an ISO 8601 time was, in the largest unit."""
    if not moment:
        return ""
    seconds = (datetime.now(UTC) - _time(moment)).total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return "just now" if seconds < 5 else f"{seconds:.0f} s ago"


def duration(start: str | None, end: str | None) -> str:
    """Return the time from one ISO 8601 time to another, or to now."""
    if not start:
        return ""
    seconds = max(0.0, ((_time(end) if end else datetime.now(UTC)) - _time(start)).total_seconds())
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _time(moment: str) -> datetime:
    time = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    return time if time.tzinfo else time.replace(tzinfo=UTC)
