"""Decode the common bodies directly to an array.

A JSON decoder creates a Python float for each number, which then has to be packed into an array and freed. That would
be half of a request's cost. simdjson writes the numbers of a list into one buffer. `request.parse` handles all other
bodies, and reports what is wrong with them: this module refuses nothing.
"""

from typing import Any

import numpy as np
from csimdjson import Array, Object, Parser

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
"""The first bytes of every PNG file."""

MAX_BYTES = 1 << 20
"""Largest body that is decoded here. The parser keeps about 15 times this memory as long as the environment lives."""

NO_OPTIONS: dict[str, Any] = {}
_parser = Parser(max_capacity=MAX_BYTES)


def decode(
    body: str, lists: tuple[str, ...], most_rows: int | None, most_fields: int
) -> tuple[str, np.ndarray, dict[str, Any]] | None:
    """Decode an object that has at most `most_fields` fields, and exactly one of `lists`.

    The source is a list of numbers; with `most_rows`, a list of at most so many such lists, all of one length.

    Returns:
        The source's name, its numbers (float64 `[n, k]`), and the other fields; None for any other body.
    """
    if not (_may_be_rows if most_rows else _may_be_list)(body):
        return None
    try:
        document = _parser.parse(body)
        # simdjson searches the whole object for each name, so a body with a hundred thousand names would take seconds.
        if type(document) is not Object or len(document) > most_fields:
            return None
        names = [*document]
        (source,) = [name for name in names if name in lists]
        value = document[source]
        if type(value) is not Array or (len(names) > 1 and len({*names}) != len(names)):
            return None
        # The buffer is flat, so the lists in the body have to be those of the rows, of one length, and no others.
        count = len(value) if most_rows else 1
        if most_rows and (count > most_rows or body.count("[") != 1 + count or len({len(row) for row in value}) != 1):
            return None
        numbers = np.frombuffer(value.as_buffer(of_type="d"))
        if not numbers.size:
            return None
        options = {name: document[name] for name in names if name != source} if len(names) > 1 else NO_OPTIONS
        return source, numbers.reshape(count, -1), options
    except (ValueError, TypeError, RuntimeError):  # not JSON, not numbers, or more than the parser takes
        return None


def _may_be_list(body: str) -> bool:
    """Return whether a body has exactly one list. Counting them all would take as long as half of the numbers."""
    opened = body.find("[")
    return opened >= 0 and body.find("[", opened + 1) < 0


def _may_be_rows(body: str) -> bool:
    """Return whether a body has at least two lists; one with a list of objects has one."""
    return body.find("[", body.find("[") + 1) > 0
