"""Output of commands: tables, JSON for programs, and errors in one line."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from mlops_client.cli.tables import CONTROL_CHARACTERS, Column, Shown, tab_separated, table

if TYPE_CHECKING:
    from mlops_client.errors import ApiError
    from mlops_client.listing import Listing
    from mlops_client.models import Progress

PIPED_WIDTH = 240
"""Width in characters of text that goes to a file or another program."""


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


def show(columns: Sequence[Column], rows: Sequence[Sequence[Any]], empty: str = "") -> None:
    """Print a table, or `empty` when there are no rows. Programs get values between tabs, whatever the width."""
    out = console()
    if not out.is_terminal:
        sys.stdout.write(tab_separated(columns, rows))
    if rows and out.is_terminal:
        out.print(table(columns, rows, out.width))
    elif empty and not rows:
        note(empty)


def show_limit(shown: Listing[Any]) -> None:
    """Say that there are more rows than those that are shown, and how many, if the API counts them."""
    if shown.total_count > len(shown):
        note(f"{len(shown)} of {shown.total_count}; use --limit to see more")
    elif shown.next_cursor is not None:
        note(f"the first {len(shown)}; use --limit to see more")


def complain(message: str) -> None:
    """Print an error in one line on stderr."""
    err = console(stderr=True)
    err.print(Text.assemble(("error: ", "bold red"), " ".join(message.split())), soft_wrap=True)


def further(error: ApiError) -> list[str]:
    """Return what a problem document has beside its sentence: a line for each reason that this does not name yet."""
    lines = []
    for name, value in error.more.items():
        entries = value if isinstance(value, list) else [value]
        if not all(isinstance(entry, dict) for entry in entries):
            lines.append(f"{name}: {', '.join(map(str, entries)) or 'nothing'}")
            continue
        for entry in entries:
            about = " ".join(f"{key} {of}" for key, of in entry.items() if key != "reasons")
            reasons = [str(reason) for reason in entry.get("reasons") or [""]]
            new = [reason for reason in reasons if not reason or reason not in error.detail]
            lines += [f"{name}: {about} {reason}".rstrip() for reason in new]
    return lines


def show_facts(facts: Iterable[tuple[str, str | None]]) -> None:
    """Print what is known of one thing, a fact a line; those without a value are left out."""
    out = console()
    for name, value in facts:
        if value:
            out.print(f"{name:<18} {value}", style="red" if name == "error" else None, soft_wrap=True)


def note(message: str) -> None:
    """Print a remark on stderr, so that it is not piped on."""
    shown = console(stderr=True)
    # A line in a file stays one line.
    shown.print(message, style="dim", soft_wrap=not shown.is_terminal)


def percent(value: float | None) -> str:
    """Return a share as a percentage."""
    return "" if value is None else Shown(f"{value:.2%}", value)


def number(value: object, digits: int = 4) -> str:
    """Return a number in few digits, and any other value as it is."""
    try:
        return Shown(f"{float(value):.{digits}g}", value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return "" if value is None else str(value)


def decimals(value: float | None, places: int = 4) -> str:
    """Return a number with so many decimal places, for columns of numbers of one size."""
    return "" if value is None else Shown(f"{value:.{places}f}", value)


def progress(reached: Progress, of: str = "/") -> str:
    """Return `3/10`; `3` if it is not known how many epochs there are."""
    return f"{reached.epoch}{of}{reached.epochs}" if reached.epochs else str(reached.epoch)


def ago(moment: str | None) -> str:
    """Return how long ago an ISO 8601 time was, in the largest unit."""
    if not moment:
        return ""
    seconds = (datetime.now(UTC) - _time(moment)).total_seconds()
    said = "just now" if seconds < 5 else f"{seconds:.0f} s ago"
    for unit, size in (("min", 60), ("h", 3600), ("d", 86400)):
        if seconds >= size:
            said = f"{seconds / size:.0f} {unit} ago"
    return Shown(said, moment)


def duration(start: str | None, end: str | None) -> str:
    """Return the time from one ISO 8601 time to another, or to now."""
    if not start:
        return ""
    seconds = max(0.0, ((_time(end) if end else datetime.now(UTC)) - _time(start)).total_seconds())
    if seconds < 7200:
        return Shown(f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min", round(seconds, 3))
    hours, minutes = divmod(round(seconds / 60), 60)
    return Shown(f"{hours} h {minutes} min", round(seconds, 3))


def _time(moment: str) -> datetime:
    time = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    return time if time.tzinfo else time.replace(tzinfo=UTC)
