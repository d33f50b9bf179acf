"""Rows of CSV files, as a stream of texts that the contract gives their types."""

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from mlops_contract import Contract
from mlops_contract.arrow_columns import ArrowEncoder
from mlops_contract.cells import BLANKS
from mlops_contract.table_files import check_columns, header_of
from mlops_scoring.chunks import Chunk, Spoiled, even
from mlops_scoring.streams import UTF8_MARK, buffered

BLOCK_BYTES = 4 << 20
"""A row must fit."""


def chunks(name: str, file: BinaryIO, contract: Contract, keep: Sequence[str]) -> Iterator[Chunk]:
    """Yield the rows of a file. Lines with another number of cells than the header are spoiled.

    Raises:
        FileRefused: A column is missing.
        ArrowException, UnicodeDecodeError: It is not CSV in UTF-8.
    """
    stream = buffered(file, BLOCK_BYTES)
    line = stream.readline(BLOCK_BYTES).removeprefix(UTF8_MARK).decode()
    wanted = dict.fromkeys([*(column.name for column in contract.columns), *keep])
    header = header_of(name, line, wanted)
    check_columns(name, header.columns, contract, keep)
    # Columns that nobody asks for may have any names, or none.
    names = [cell if cell in wanted else f"\0{place}" for place, cell in enumerate(header.columns)]
    asked = [cell for cell in names if cell in wanted]
    lines = _Lines(len(names))
    try:
        reader = csv.open_csv(
            stream,
            read_options=csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES, column_names=names),
            parse_options=csv.ParseOptions(
                delimiter=header.delimiter, newlines_in_values=True, invalid_row_handler=lines.note
            ),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(asked, pa.string()), include_columns=asked, strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV file" in str(error):
            return
        raise
    encoder = ArrowEncoder(contract, cells=True)
    for batch in even(_trimmed(batch) for batch in reader):
        rows, spoiled = lines.numbered(batch.num_rows)
        yield Chunk(name, rows, encoder.encode(batch), batch, spoiled)
    if rest := lines.rest():
        nothing = pa.RecordBatch.from_pylist([], pa.schema([(cell, pa.string()) for cell in asked]))
        yield Chunk(name, np.empty(0, np.int64), encoder.encode(nothing), nothing, rest)


class _Lines:
    """The numbers of the rows: those that Arrow skips count too."""

    def __init__(self, cells: int) -> None:
        self._cells = cells
        self._skipped: list[Spoiled] = []
        self._next = 1

    def note(self, row: Any) -> str:
        """Note a row with a wrong number of cells, and have Arrow skip it."""
        reason = f"has {row.actual_columns} cells, and the header has {self._cells}"
        self._skipped.append(Spoiled(row.number, reason))
        return "skip"

    def numbered(self, count: int) -> tuple["np.ndarray[tuple[int], np.dtype[np.int64]]", tuple[Spoiled, ...]]:
        """Return the numbers of the next rows that were read, and the rows that were skipped between them."""
        numbers: list[int] = []
        skipped: list[Spoiled] = []
        while len(numbers) < count:
            if self._skipped and self._skipped[0].row == self._next:
                skipped.append(self._skipped.pop(0))
                self._next += 1
                continue
            last = self._skipped[0].row if self._skipped else self._next + count
            run = min(count - len(numbers), last - self._next)
            numbers += range(self._next, self._next + run)
            self._next += run
        return np.array(numbers, np.int64), tuple(skipped)

    def rest(self) -> tuple[Spoiled, ...]:
        """Return the rows that were skipped after the last one that was read."""
        return tuple(self._skipped)


def _trimmed(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the cells without blanks around them, as training reads them."""
    return pa.RecordBatch.from_arrays([pc.utf8_trim(column, BLANKS) for column in batch.columns], schema=batch.schema)
