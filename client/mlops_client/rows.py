"""Rows of tables as the API takes them, and lists of inputs in requests that are not too large."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from mlops_client.errors import BadInput, Invalid

MAX_BODY = 1_000_000
"""Bytes of inputs in a request. The API takes bodies of 1 MiB."""

Row = dict[str, Any]


def plain_row(row: Any) -> Row:
    """Return a mapping from columns to values as a JSON object.

    NaN, NaT and pandas' NA become null, because they stand for missing values in tables. Dates and times become text.

    Raises:
        BadInput: It is no mapping, or a value is neither text, a finite number, a boolean, a time nor missing.
    """
    if not isinstance(row, Mapping):
        raise BadInput(f"a row must be a dict of its columns' values, not {type(row).__name__}")
    return {_column(name): _value(name, value) for name, value in row.items()}


def plain_rows(rows: Any) -> list[Row]:
    """Return mappings, or a pandas DataFrame, as a list of JSON objects. Raises BadInput as `plain_row`."""
    if hasattr(rows, "to_dict"):
        rows = rows.to_dict("records")
    if isinstance(rows, Mapping | str | bytes):
        raise BadInput("rows must be a list of dicts, or a DataFrame")
    return [plain_row(row) for row in rows]


def pages(items: Sequence[Any], most: int) -> Iterator[tuple[int, Sequence[Any]]]:
    """Yield the items of each request, at most `most`, with the index of the first one."""
    start, size = 0, 0
    for index, item in enumerate(items):
        length = len(json.dumps(item)) + len(", ")
        if index > start and (index - start == most or size + length > MAX_BODY):
            yield start, items[start:index]
            start, size = index, 0
        size += length
    yield start, items[start:]


def renumbered(text: str, field: str, start: int) -> str:
    """Return the API's text about `field` of one request, such as `rows.3.age`, with the indices of all requests."""
    return re.sub(rf"(^|; ){field}\.(\d+)", lambda found: f"{found[1]}{field}.{int(found[2]) + start}", text)


def renumbered_error(error: Invalid, field: str, start: int) -> Invalid:
    """Return the error with the indices of all requests."""
    errors = [{**each, "field": renumbered(each.get("field", ""), field, start)} for each in error.errors]
    detail = renumbered(error.detail, field, start)
    return Invalid(error.status, {"code": error.code, "detail": detail, "errors": errors}, error.request_id)


def _column(name: Any) -> str:
    if not isinstance(name, str):
        raise BadInput(f"{name!r} is no name of a column; names are text")
    return name


def _value(name: str, value: Any) -> Any:
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if kind == "M":
        value = str(value)  # numpy's item() would be a number of nanoseconds
        return None if value == "NaT" else value
    if kind and hasattr(value, "item") and not getattr(value, "shape", ()):
        value = value.item()
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, str | bool | int):
        return value
    if isinstance(value, date):
        return value.isoformat()
    if not isinstance(value, float):
        raise BadInput(f"{name}: {value!r} cannot be sent; send text, a number, true or false, a time, or None")
    if math.isinf(value):
        raise BadInput(f"{name}: {value!r} cannot be sent; every number must be finite")
    return None if math.isnan(value) else value
