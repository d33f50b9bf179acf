"""Rows of Parquet files, a row group at a time."""

from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from mlops_contract import Contract
from mlops_contract.arrow_columns import ArrowEncoder, ColumnRefused
from mlops_contract.table_files import FileRefused, Layout, check_columns, not_what_it_says
from mlops_scoring.chunks import ROWS, Chunk, Part, even


def chunks(part: Part, file: BinaryIO, contract: Contract, keep: Sequence[str]) -> Iterator[Chunk]:
    """Yield the rows of the row groups that begin within the part. Raises FileRefused, ArrowException."""
    try:
        # Without buffering ahead, which would hold row groups that come much later.
        opened = parquet.ParquetFile(file, pre_buffer=False)
    except pa.ArrowInvalid as error:
        raise not_what_it_says(part.name, Layout.PARQUET) from error
    schema = opened.schema_arrow
    check_columns(part.name, schema.names, contract, keep)
    encoder = ArrowEncoder(contract)
    try:
        encoder.check(schema)
    except ColumnRefused as refused:
        raise FileRefused(f"{part.name}: {refused}; write the column again with this type") from refused
    wanted = {*(column.name for column in contract.columns), *keep}
    columns = [name for name in schema.names if name in wanted]
    # What is read as a dictionary has each text once.
    texts = [name for name in columns if name not in keep and pa.types.is_string(schema.field(name).type)]
    opened = parquet.ParquetFile(file, pre_buffer=False, read_dictionary=texts, metadata=opened.metadata)
    first, groups = _row_groups(opened.metadata, part)
    batches = opened.iter_batches(ROWS, row_groups=groups, columns=columns, use_threads=False)
    for batch in even(batches):
        rows = np.arange(first, first + batch.num_rows, dtype=np.int64)
        first += batch.num_rows
        yield Chunk(part.name, rows, encoder.encode(batch), batch)


def _row_groups(metadata: parquet.FileMetaData, part: Part) -> tuple[int, list[int]]:
    """Return the number of the first row, from 1, and the row groups that begin within the part."""
    first, before = 1, 0
    groups: list[int] = []
    for index in range(metadata.num_row_groups):
        group = metadata.row_group(index)
        column = group.column(0)
        begins = column.dictionary_page_offset if column.has_dictionary_page else column.data_page_offset
        if part.start <= begins < part.end:
            if not groups:
                first = before + 1
            groups.append(index)
        before += group.num_rows
    return first, groups
