"""Rows of JSON lines: objects as callers of /predict send them, encoded by the same `RowEncoder`."""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from mlops_contract import Contract
from mlops_contract.arrow_columns import Inputs, Refusals
from mlops_contract.rows import Feeds, RowEncoder, RowsRefused
from mlops_contract.table_files import FileRefused
from mlops_scoring.chunks import ROWS, Chunk, Spoiled
from mlops_scoring.streams import UTF8_MARK, buffered

MAX_LINE = 16 << 20
BUFFER_BYTES = 4 << 20
NO_OBJECT = "is not one JSON object, each of whose names is there once"
_FEW = 64
"""Rows among which one that is refused is looked for one by one."""


def chunks(name: str, file: BinaryIO, contract: Contract, keep: Sequence[str]) -> Iterator[Chunk]:
    """Yield the rows of a file. Lines that are no JSON objects are spoiled.

    Raises:
        FileRefused: A line is too long.
        UnicodeDecodeError: It is not UTF-8.
    """
    encoder = RowEncoder(contract)
    known = {column.name for column in contract.columns}
    lines = enumerate(lines_of(name, buffered(file, BUFFER_BYTES)), 1)
    while taken := list(itertools.islice(lines, ROWS)):
        rows, numbers, spoiled = [], [], []
        for number, line in taken:
            row = object_of(line)
            if row is None:
                spoiled.append(Spoiled(number, NO_OBJECT))
            else:
                rows.append(row)
                numbers.append(number)
        inputs = _encoded(encoder, [{key: row[key] for key in row if key in known} for row in rows])
        shown = dict.fromkeys([*keep, *(refusal.column for refusal in inputs.refusals.values())])
        texts = [pa.array([_text(row.get(column)) for row in rows], pa.string()) for column in shown]
        table = (
            pa.RecordBatch.from_arrays(texts, list(shown))
            if shown
            else pa.RecordBatch.from_struct_array(pa.array([{}] * len(rows), pa.struct([])))
        )
        yield Chunk(name, np.array(numbers, np.int64), inputs, table, tuple(spoiled))


def lines_of(name: str, file: Any) -> Iterator[str]:
    """Yield the lines of a file that are not blank. Raises FileRefused: a line is too long."""
    first = True
    while line := file.readline(MAX_LINE + 1):
        if len(line) > MAX_LINE:
            raise FileRefused(f"{name}: a line has more than {MAX_LINE:,} bytes; write each row on a line of its own")
        text = (line.removeprefix(UTF8_MARK) if first else line).decode()
        first = False
        if text.strip():
            yield text


def object_of(line: str) -> dict[str, Any] | None:
    """Return the object of a line; None if it is no JSON, or not a single object."""
    try:
        row = json.loads(line, object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) != len(pairs):
        raise ValueError("the same name twice")
    return row


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _encoded(encoder: RowEncoder, rows: Sequence[Mapping[str, Any]]) -> Inputs:
    """Encode rows. Those that are refused are left out of the whole, and found one by one among a few."""
    refusals = Refusals()
    if not rows:
        return Inputs(_nothing(encoder.contract, 0), refusals)
    try:
        return Inputs(encoder.encode(rows).feeds, refusals)
    except RowsRefused:
        pass
    parts = [_few(encoder, rows[start : start + _FEW], start, refusals) for start in range(0, len(rows), _FEW)]
    return Inputs({name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, refusals)


def _few(encoder: RowEncoder, rows: Sequence[Mapping[str, Any]], start: int, refusals: Refusals) -> Feeds:
    try:
        return encoder.encode(rows).feeds
    except RowsRefused:
        pass
    feeds = _nothing(encoder.contract, len(rows))
    for place, row in enumerate(rows):
        try:
            encoded = encoder.encode([row]).feeds
        except RowsRefused as refused:
            refusals[start + place] = refused.refusals[0]._replace(row=start + place)
            continue
        for name, feed in encoded.items():
            feeds[name][place] = feed[0]
    return feeds


def _nothing(contract: Contract, count: int) -> Feeds:
    """Return inputs for so many rows that mean nothing."""
    feeds: Feeds = {
        "numbers": np.zeros((count, contract.numbers), np.float32),
        "categories": np.full((count, contract.categories), "", object),
    }
    return {name: feed for name, feed in feeds.items() if feed.shape[1]}


def _text(value: Any) -> str | None:
    """Return a JSON value as text: a string as it is, null as null."""
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
