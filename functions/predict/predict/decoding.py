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

_parser = Parser(max_capacity=MAX_BYTES)


def decode(
    body: str, lists: tuple[str, ...], most_rows: int | None, most_fields: int
) -> tuple[str, np.ndarray, dict[str, Any]] | None:
    """Decode an object that has at most `most_fields` fields, and exactly one of `lists`.

    The source is a list of numbers; with `most_rows`, a list of at most so many such lists, all of one length.

    Returns:
        The source's name, its numbers (float64 `[n, k]`), and the other fields; None for any other body.
    """
    brackets = body.count("[")
    if brackets < (2 if most_rows else 1):  # a batch of lists has two; one of objects is not for this module
        return None
    try:
        document = _parser.parse(body)
        # simdjson searches the whole object for each name, so a body with a hundred thousand names would take seconds.
        if type(document) is not Object or len(document) > most_fields:
            return None
        names = [*document]
        (source,) = [name for name in names if name in lists]
        rows = document[source]
        # The buffer is flat. If there are as many brackets as rows, nothing in the body is nested deeper.
        count = len(rows) if most_rows else 1
        if type(rows) is not Array or brackets != (1 + count if most_rows else 1) or len(set(names)) != len(names):
            return None
        if most_rows and (count > most_rows or len({len(row) for row in rows}) != 1):
            return None
        numbers = np.frombuffer(rows.as_buffer(of_type="d"))
        if not numbers.size:
            return None
        return source, numbers.reshape(count, -1), {name: document[name] for name in names if name != source}
    except (ValueError, TypeError, RuntimeError):  # not JSON, not numbers, or more than the parser takes
        return None
