"""Read pages of an SQL list that can be ordered by one of several keys.

A cursor has the last row's key and id, not a page number, so new rows do not shift a page, and late pages are not slow.
Each list has a table of its keys: a caller's text is looked up there, and never becomes SQL.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mlops.domain.errors import ValidationFailed
from mlops.domain.pagination import decode_cursor, encode_cursor, unknown_cursor

# A name with a space is in backticks or double quotes, as in MLflow's order_by.
_ORDER = re.compile(
    r"""(?P<key>[^\s.`"]+)(?:\.(?:(?P<name>[^\s`"]+)|`(?P<backticks>[^`]+)`|"(?P<quotes>[^"]+)"))?"""
    r"""(?:\s+(?P<direction>asc|desc))?""",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Order:
    """An order. `expression` is SQL, with `%(order_key)s` in place of the name of a metric or a parameter."""

    expression: str
    descending: bool
    key_name: str | None = None

    def clauses(self, id_column: str, cursor: str | None) -> tuple[str, str, dict[str, Any]]:
        """Return (condition, ordering, values) for the page after `cursor`. Rows without a key come last.

        Raises:
            ValidationFailed: The cursor is not from a list with this order.
        """
        key, direction = self.expression, "DESC" if self.descending else "ASC"
        values: dict[str, Any] = {"order_key": self.key_name}
        ordering = f"{key} {direction} NULLS LAST, {id_column} {direction}"
        if cursor is None:
            return "TRUE", ordering, values
        values["after_key"], values["after_id"] = self._read(cursor)
        beyond = "<" if self.descending else ">"
        same = f"{id_column} {beyond} %(after_id)s"
        if values["after_key"] is None:
            return f"({key} IS NULL AND {same})", ordering, values
        condition = f"({key} {beyond} %(after_key)s OR {key} IS NULL OR ({key} = %(after_key)s AND {same}))"
        return condition, ordering, values

    def cursor(self, key: Any, identifier: Any) -> str:
        # Not in ASCII: with escapes, a long name in another script would make a cursor that no list takes back.
        parts = [self.expression, self.key_name, self.descending, key, identifier]
        return encode_cursor(json.dumps(parts, ensure_ascii=False))

    def _read(self, cursor: str) -> tuple[Any, Any]:
        try:
            *order, key, identifier = json.loads(decode_cursor(cursor))
        except (ValueError, TypeError, RecursionError) as error:
            raise unknown_cursor() from error
        if order != [self.expression, self.key_name, self.descending]:
            raise unknown_cursor()
        if isinstance(key, bool | list | dict) or type(identifier) not in (str, int):
            raise unknown_cursor()
        return key, identifier


def parse_order(text: str, columns: dict[str, str], prefixes: dict[str, str]) -> Order:
    """Read `started_at desc`, `metrics.accuracy` or ``metrics.`my metric` ``.

    Args:
        text: A key of `columns`, or a prefix and a name; then a direction, by default asc.

    Raises:
        ValidationFailed: There is no such order. The message names the possible ones.
    """
    match = _ORDER.fullmatch(text.strip())
    if match:
        key, name = match["key"], match["name"] or match["backticks"] or match["quotes"]
        descending = (match["direction"] or "").lower() == "desc"
        if name is None and key in columns:
            return Order(columns[key], descending)
        if name is not None and key in prefixes:
            return Order(prefixes[key], descending, name)
    known = ", ".join([*columns, *(f"{prefix}.<name>" for prefix in prefixes)])
    message = f"must be one of {known}, and asc or desc"
    if prefixes:
        message += "; put a name with a space in backticks"
    raise ValidationFailed.of_field("order_by", message)


def like(names: Sequence[str]) -> list[str]:
    """Return the patterns of SQL's LIKE for names, of which some end in `*`."""
    escaped = [name.translate({ord(special): f"\\{special}" for special in "\\%_"}) for name in names]
    return [f"{name[:-1]}%" if name.endswith("*") else name for name in escaped]


def page_of(rows: list[dict[str, Any]], limit: int, key: str) -> tuple[list[dict[str, Any]], int, str | None]:
    """Remove the extra row that shows whether there is a next page, and read the total from the rows."""
    more, rows = len(rows) > limit, rows[:limit]
    total = rows[0]["total_count"] if rows else 0
    for row in rows:
        del row["total_count"]
    return rows, total, encode_cursor(str(rows[-1][key])) if more else None
