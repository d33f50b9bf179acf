"""The pieces in which a table is scored."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from mlops_contract.arrow_columns import Inputs

ROWS = 8_192
"""Rows of a chunk, whatever pieces a file has: so a shard that is done again asks the model the same chunks."""


@dataclass(frozen=True)
class Part:
    """A part of a file: of Parquet the row groups that begin at a byte from `start` up to `end`. Other files are whole.

    Attributes:
        name: The file's name, for errors and for the rows that are set aside.
    """

    name: str
    start: int
    end: int


@dataclass(frozen=True)
class Spoiled:
    """A row that cannot even be read: its number in its file, from 1, and the reason."""

    row: int
    reason: str


@dataclass(frozen=True, eq=False)
class Chunk:
    """Rows of a file, ready for the model.

    Attributes:
        file: The file's name.
        rows: Each row's number in its file, from 1, int64 `[n]`.
        inputs: The model's inputs, and which rows the contract refuses.
        table: The rows' own columns, as far as they are needed: those to keep, and those to show in refusals.
        spoiled: Rows beside these that cannot be read.
    """

    file: str
    rows: "np.ndarray[tuple[int], np.dtype[np.int64]]"
    inputs: Inputs
    table: pa.RecordBatch
    spoiled: tuple[Spoiled, ...] = field(default=())


def even(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Cut batches anew, so that each has `ROWS` rows, and only the last one may have fewer."""
    waiting: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        start = 0
        while batch.num_rows - start >= ROWS - count:
            waiting.append(batch.slice(start, ROWS - count))
            start += ROWS - count
            yield _joined(waiting)
            waiting, count = [], 0
        if start < batch.num_rows:
            waiting.append(batch.slice(start))
            count += batch.num_rows - start
    if waiting:
        yield _joined(waiting)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)
