"""Pages of an SQL list that may be ordered by one of several keys.

A cursor holds the last row's key and id, not a page number, so rows that come in between neither shift a page nor make
a deep one slow. Every key stands in a table of the list's own: what a caller writes is looked up, never put into the
SQL.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from mlops.domain.errors import ValidationFailed
from mlops.domain.pagination import decode_cursor, encode_cursor, unknown_cursor

# A name with a space stands in backticks or double quotes, as in MLflow's own order_by.
_ORDER = re.compile(
    r"""(?P<key>[^\s.`"]+)(?:\.(?:(?P<name>[^\s`"]+)|`(?P<backticks>[^`]+)`|"(?P<quotes>[^"]+)"))?"""
    r"""(?:\s+(?P<direction>asc|desc))?""",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Order:
    """`expression` is SQL of ours, in which `%(order_key)s` may stand for the name of a metric or a parameter."""

    expression: str
    descending: bool
    key_name: str | None = None

    def clauses(self, id_column: str, cursor: str | None) -> tuple[str, str, dict[str, Any]]:
        """(condition, ordering, values) of the page after `cursor`; rows without a key come last.

        Raises:
            ValidationFailed: no list of this order answered the cursor.
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
        text: A key of `columns`, or a prefix and a name; then a direction, which is asc unless given.

    Raises:
        ValidationFailed: There is no such order; the message names those that there are.
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
