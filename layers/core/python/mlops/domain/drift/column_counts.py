"""The counts of a table model's columns: numbers of rows by bin, as predict's lines carry them and as they are stored.

Bins have a meaning only together with the reference of the version that counted them. Its `layout` identifies them, so
counts of different layouts are never added up.
"""

import base64
import operator
import re
import zlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mlops.domain.drift.counts import Malformed

ByLayout = Mapping[str, Sequence[int]]
"""Counts of all bins, by their layout: more than one if a version was served with two references within an hour."""
MAX_BINS = 1 << 16
_LAYOUT = re.compile(r"[0-9a-f]{12}", re.ASCII)
_IN_LINE, _STORED = "H", "I"
"""Unsigned little-endian numbers of 2 and 4 bytes. A line has at most a thousand rows, an hour has more."""


def counts_of_columns(line: Mapping[str, Any]) -> dict[str, list[int]]:
    """Return the counts in a log line, by their layout; nothing if it has none, or of a form that is not known here.

    Raises:
        Malformed: The form is known, and the counts cannot be right.
    """
    columns, n = line.get("columns"), line["n"]
    if not isinstance(columns, dict):
        return {}
    layout, packed = columns.get("layout"), columns.get("counts")
    if not isinstance(layout, str) or not isinstance(packed, str):
        return {}
    if not _LAYOUT.fullmatch(layout):
        raise Malformed("the layout of columns is not 12 hexadecimal digits")
    try:
        counts = _unpacked(base64.urlsafe_b64decode(packed), _IN_LINE)
    except (ValueError, zlib.error) as error:
        raise Malformed("the counts of columns cannot be unpacked") from error
    # Each column has each row in one of its bins.
    if not counts or sum(counts) == 0 or sum(counts) % n:
        raise Malformed("the counts of columns do not fit n")
    return {layout: counts}


def together(parts: Iterable[ByLayout]) -> dict[str, list[int]]:
    """Return the sums of counts, by layout. Raises Malformed if two of one layout differ in length."""
    sums: dict[str, list[int]] = {}
    for part in parts:
        for layout, counts in part.items():
            before = sums.get(layout)
            if before is not None and len(before) != len(counts):
                raise Malformed(f"counts of the layout {layout} differ in length")
            sums[layout] = list(counts) if before is None else list(map(operator.add, before, counts))
    return sums


def packed(counts: Sequence[int]) -> bytes:
    """Return counts as they are stored."""
    return zlib.compress(array(_STORED, counts).tobytes())


def unpacked(data: bytes) -> list[int]:
    """Return stored counts."""
    return _unpacked(data, _STORED)


def _unpacked(data: bytes, kind: str) -> list[int]:
    unpacking = zlib.decompressobj()
    numbers = array(kind)
    numbers.frombytes(unpacking.decompress(data, MAX_BINS * numbers.itemsize))
    if not unpacking.eof:
        raise ValueError("the counts are cut off, or too many")
    return numbers.tolist()
