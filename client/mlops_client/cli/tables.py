"""Tables: laid out for the width of a terminal, or as values between tabs for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

LEAST_NAME = 12
"""Width in characters down to which a name is shortened before a column is left out."""
LEAST_WRAPPED = 20
"""The same for a column whose cells take several lines."""
GAP = 2
BAR_WIDTH = 12
"""Width in characters of a cell that is no text: a bar."""

STATUS_STYLES = {"completed": "green", "succeeded": "green", "running": "cyan", "pending": "dim", "queued": "cyan"} | {
    "converting": "cyan",
    "awaiting_approval": "yellow",
    "awaiting_rollout": "cyan",
    "failed": "red",
    "rejected": "red",
    "cancelled": "yellow",
    "pruned": "yellow",
}
STAGE_STYLES = {"Production": "bold green", "Staging": "yellow", "Archived": "dim", "Registered": ""}
CONTROL_CHARACTERS = {code: None for code in (*range(0x20), 0x7F, *range(0x80, 0xA0)) if chr(code) not in "\n\t"}
"""C0 and C1: with them a name or a log line could move the cursor, rename the window, or send keyboard input."""


@dataclass(frozen=True)
class Column:
    """A column of a table. One without a name has bars, which programs do not get.

    Attributes:
        keep: Priority when the terminal is narrow: 0 is left out first, 9 is never left out.
        right: Whether it is aligned to the right. Its cells are numbers, which are never shortened.
        wrap: Whether its cells may take several lines.
        whole: Whether its cells are never shortened, because people copy them: ids.
    """

    name: str
    keep: int = 5
    right: bool = False
    style: str = ""
    wrap: bool = False
    whole: bool = False


class Shown(str):
    """A text for people that stands for a value: a rounded number, or how long ago something was.

    Attributes:
        value: What programs get.
        look: The style on a terminal; by default that of the text, if it is a status or a stage.
    """

    value: object
    look: str

    def __new__(cls, text: str, value: object, look: str = "") -> Shown:
        shown = super().__new__(cls, text)
        shown.value, shown.look = value, look
        return shown


def styled(text: str, look: str) -> Shown:
    """Return a text, or what stands for a value, in a style."""
    return Shown(text, getattr(text, "value", text), look)


def table(columns: Sequence[Column], rows: Sequence[Sequence[Any]], width: int) -> Table:
    """Return a table that fits into `width` characters.

    Long names are shortened first. Only then columns are left out, the least important first. If the columns that are
    never left out are still too wide, their cells take several lines.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    widths, fits = _layout(columns, cells, width)
    result = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="dim")
    for index, wide in widths.items():
        column = columns[index]
        folds = column.wrap or not fits
        result.add_column(
            Text(column.name) if folds else _shortened(Text(column.name), wide),
            justify="right" if column.right else "left",
            style=column.style,
            width=wide,
            no_wrap=not folds,
            overflow="fold" if folds else "ellipsis",
        )
    for row in cells:
        result.add_row(
            *(
                row[index] if columns[index].wrap or not fits else _shortened(row[index], wide)
                for index, wide in widths.items()
            )
        )
    return result


def tab_separated(columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> str:
    """Return all columns as lines of values between tabs, below a line with their names."""
    kept = [index for index, column in enumerate(columns) if column.name]
    lines = [[columns[index].name for index in kept], *([_value(row[index]) for index in kept] for row in rows)]
    return "".join("\t".join(line) + "\n" for line in lines)


def _layout(columns: Sequence[Column], cells: list[list[Any]], width: int) -> tuple[dict[int, int], bool]:
    """Return the widths of the columns that are shown, by their places, and whether no cell has to be broken."""
    wide = [max([0, *(getattr(row[at], "cell_len", BAR_WIDTH) for row in cells)]) for at in range(len(columns))]
    full = [max(len(column.name), inner) for column, inner in zip(columns, wide, strict=True)]
    least = [_least(column, inner) for column, inner in zip(columns, wide, strict=True)]
    shown = list(range(len(columns)))
    while _total(full, shown) > width and (bars := [index for index in shown if not columns[index].name]):
        shown.remove(bars[-1])
    while len(shown) > 1 and _total(least, shown) > width:
        last = min(shown, key=lambda index: (columns[index].keep, -index))
        if columns[last].keep == 9:
            break
        shown.remove(last)
    fits = _total(least, shown) <= width
    floor = least if fits else [1] * len(columns)
    widths = {index: full[index] for index in shown}
    while _total(widths, shown) > width and (wider := [index for index in shown if widths[index] > floor[index]]):
        widths[max(wider, key=lambda index: (columns[index].wrap, widths[index]))] -= 1
    return widths, fits


def _least(column: Column, wide: int) -> int:
    """Return the width down to which a column is shortened whose widest cell has `wide` characters."""
    if column.right or column.whole or not column.name:
        return max(wide, min(len(column.name), LEAST_NAME))
    return min(max(wide, len(column.name)), LEAST_WRAPPED if column.wrap else LEAST_NAME)


def _total(widths: Sequence[int] | dict[int, int], shown: Sequence[int]) -> int:
    return sum(widths[index] for index in shown) + GAP * (len(shown) - 1)


def _shortened(cell: Any, width: int) -> Any:
    """Return a name without its middle: its beginning says what it is, its end which one."""
    if not isinstance(cell, Text) or cell.cell_len <= width:
        return cell
    end = (width - 1) // 3
    text = cell.plain
    return Text(f"{text[: width - 1 - end]}…{text[len(text) - end :]}", style=cell.style)


def _cell(value: Any) -> Any:
    if value is None:
        return Text("")
    if isinstance(value, str | int | float):
        text = str(value)
        return Text(text, style=getattr(value, "look", "") or STATUS_STYLES.get(text) or STAGE_STYLES.get(text) or "")
    return value


def _value(value: Any) -> str:
    if isinstance(value, Shown):
        value = value.value
    text = "" if value is None else str(value)
    return " ".join(text.translate(CONTROL_CHARACTERS).split())
