"""Read the rows of a file of labels: Parquet, CSV or JSON lines, in the format that its name says."""

import csv
import io
import itertools
from collections.abc import Iterator
from datetime import datetime
from typing import Any, BinaryIO

import pyarrow as pa
from pyarrow import parquet

from mlops.domain.feedback.label_files import COLUMNS, check_columns
from mlops_contract.table_files import FileRefused, Layout, format_of, header_of, not_what_it_says
from mlops_scoring import json_rows
from mlops_scoring.streams import buffered

ROWS = 1_000
BUFFER_BYTES = 4 << 20
MAX_LINE = 1 << 20

Row = dict[str, Any]


def rows_of(name: str, file: BinaryIO) -> Iterator[tuple[int, Row]]:
    """Yield the rows of a file with their numbers, from 1: the columns of labels that are not empty.

    A row that cannot be read has the text `cannot_be_read`, with the reason.

    Args:
        name: The file's name.
        file: The open file, which can seek.

    Raises:
        FileRefused: The file is not what its name says, is damaged, or has no labels. Names it.
    """
    kind = format_of(name)
    try:
        if kind.layout is Layout.PARQUET:
            yield from _parquet(name, file)
            return
        packed = pa.CompressedInputStream(pa.PythonFile(file, "r"), kind.packing) if kind.packing else file
        stream = buffered(packed, BUFFER_BYTES)
        if kind.layout is Layout.JSON_LINES:
            yield from _json_lines(name, stream)
        else:
            yield from _delimited(name, io.TextIOWrapper(stream, "utf-8-sig", newline=""))
    except UnicodeDecodeError as error:
        raise not_what_it_says(name, kind.layout) from error
    except csv.Error as error:
        raise FileRefused(f"{name}: cannot be read as CSV ({error}); check that it is whole") from error
    except (pa.ArrowException, EOFError, OSError) as error:
        if isinstance(error, OSError) and not kind.packing:
            raise  # the network's; Arrow raises one for damaged packed data too
        reason = str(error).partition("\n")[0][:300]
        raise FileRefused(
            f"{name}: cannot be read as {kind.layout.value} ({reason}); check that it is whole"
        ) from error


def _parquet(name: str, file: BinaryIO) -> Iterator[tuple[int, Row]]:
    opened = parquet.ParquetFile(file, pre_buffer=False)
    check_columns(name, opened.schema_arrow.names)
    columns = [column for column in opened.schema_arrow.names if column in COLUMNS]
    batches = opened.iter_batches(ROWS, columns=columns, use_threads=False)
    records = itertools.chain.from_iterable(batch.to_pylist() for batch in batches)
    for number, record in enumerate(records, 1):
        yield number, {column: _plain(value) for column, value in record.items() if value is not None}


def _delimited(name: str, text: io.TextIOWrapper) -> Iterator[tuple[int, Row]]:
    line = text.readline(MAX_LINE)
    header = header_of(name, line, COLUMNS)
    check_columns(name, header.columns)
    reader = csv.reader(text, delimiter=header.delimiter, strict=True)
    for number, cells in enumerate(filter(None, reader), 1):
        if len(cells) != len(header.columns):
            yield number, _unreadable(f"has {len(cells)} cells, and the header has {len(header.columns)}")
            continue
        record = dict(zip(header.columns, (cell.strip() for cell in cells), strict=True))
        yield number, {column: record[column] for column in COLUMNS if record.get(column)}


def _json_lines(name: str, file: Any) -> Iterator[tuple[int, Row]]:
    for number, line in enumerate(json_rows.lines_of(name, file), 1):
        record = json_rows.object_of(line)
        if record is None:
            yield number, _unreadable(json_rows.NO_OBJECT)
        else:
            yield number, {column: record[column] for column in COLUMNS if record.get(column) is not None}


def _unreadable(reason: str) -> Row:
    return {"cannot_be_read": reason}


def _plain(value: Any) -> Any:
    """Return a value of Parquet as JSON would have it."""
    return value.isoformat() if isinstance(value, datetime) else value
