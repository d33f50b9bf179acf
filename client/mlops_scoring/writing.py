"""Write rows to a Parquet file whose bytes depend on the rows alone, not on the pieces that they come in."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

GROUP_ROWS = 131_072
"""Rows of a row group, which are in memory until it is written."""


@dataclass(frozen=True)
class WrittenFile:
    """A file that was written."""

    path: Path
    rows: int
    size: int
    sha256: str


class ParquetWriter:
    """Writes one file. It is made with the first row, so without rows there is none.

    Args:
        path: The file, which is overwritten.
        ascending: Columns of text whose neighbours begin alike, and which are written as what differs.
    """

    def __init__(self, path: Path, ascending: Sequence[str] = ()) -> None:
        self._path, self._ascending = path, ascending
        self._waiting: list[pa.RecordBatch] = []
        self._count = self._written = 0
        self._writer: parquet.ParquetWriter | None = None

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows. All batches have one schema."""
        if not batch.num_rows:
            return
        self._waiting.append(batch)
        self._count += batch.num_rows
        while self._count >= GROUP_ROWS:
            self._write_group(GROUP_ROWS)

    def close(self) -> WrittenFile | None:
        """Write the rest, and return the file; None if there were no rows."""
        if self._count:
            self._write_group(self._count)
        if self._writer is None:
            return None
        self._writer.close()
        with self._path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return WrittenFile(self._path, self._written, self._path.stat().st_size, digest)

    def _write_group(self, rows: int) -> None:
        table = pa.Table.from_batches(self._waiting)
        if self._writer is None:
            schema = table.schema
            self._writer = parquet.ParquetWriter(
                self._path,
                schema,
                compression="snappy",
                use_dictionary=[name for name in schema.names if name not in self._ascending],
                column_encoding=dict.fromkeys(self._ascending, "DELTA_BYTE_ARRAY"),
            )
        # In one piece: where pieces end shows in the pages.
        self._writer.write_table(table.slice(0, rows).combine_chunks(), row_group_size=rows)
        self._waiting = table.slice(rows).combine_chunks().to_batches()
        self._count -= rows
        self._written += rows
