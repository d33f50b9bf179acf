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
    # A list of numbers is the only list of its body, and one of lists is not. Counting them all would take as long as
    # half of the numbers.
    opened = body.find("[")
    if opened < 0 or (body.find("[", opened + 1) > 0) != bool(most_rows):
        return None
    try:
        document = _parser.parse(body)
        # simdjson searches the whole object for each name, so a body with a hundred thousand names would take seconds.
        if type(document) is not Object or len(document) > most_fields:
            return None
        names = [*document]
        if len(names) == 1:
            source, options = names[0], NO_OPTIONS
        else:
            (source,) = [name for name in names if name in lists]
            options = {name: document[name] for name in names if name != source}
            if len(options) != len(names) - 1:
                return None
        value = document[source]
        if source not in lists or type(value) is not Array:
            return None
        count = 1
        if most_rows:
            # The buffer is flat, so the body's lists have to be those of the rows, of one length, and no others.
            count = len(value)
            if count > most_rows or body.count("[") != 1 + count or len({len(row) for row in value}) != 1:
                return None
        numbers = np.frombuffer(value.as_buffer(of_type="d"))
        return (source, numbers.reshape(count, -1), options) if numbers.size else None
    except (ValueError, TypeError, RuntimeError, KeyError):  # not JSON, not numbers, too much, or a name with a null
        return None
