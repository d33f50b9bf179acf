"""Read the rows of one file as chunks, in the format that its name says."""

from collections.abc import Iterator, Sequence
from typing import BinaryIO

from mlops_contract import Contract
from mlops_contract.table_files import FileRefused, Layout, format_of, not_what_it_says
from mlops_scoring.chunks import Chunk, Part


def chunks_of(part: Part, file: BinaryIO, contract: Contract, keep: Sequence[str]) -> Iterator[Chunk]:
    """Yield the rows of a part of a file.

    Args:
        part: What to read.
        file: The open file. Parquet needs one that can seek.
        contract: The model's.
        keep: The columns that are copied to the output.

    Raises:
        FileRefused: The file is not what its name says, is damaged, or lacks a column. Names it.
    """
    import pyarrow as pa

    kind = format_of(part.name)
    try:
        if kind.layout is Layout.PARQUET:
            from mlops_scoring import parquet_rows

            yield from parquet_rows.chunks(part, file, contract, keep)
        else:
            from mlops_scoring import delimited_rows, json_rows

            text = pa.CompressedInputStream(pa.PythonFile(file, "r"), kind.packing) if kind.packing else file
            rows = delimited_rows if kind.layout is Layout.DELIMITED else json_rows
            yield from rows.chunks(part.name, text, contract, keep)
    except UnicodeDecodeError as error:
        raise not_what_it_says(part.name, kind.layout) from error
    except (pa.ArrowException, EOFError, OSError) as error:
        if isinstance(error, OSError) and not kind.packing:  # the disk's; Arrow raises one for damaged packed data too
            raise
        reason = str(error).partition("\n")[0][:300]
        raise FileRefused(
            f"{part.name}: cannot be read as {kind.layout.value} ({reason}); check that it is whole and has the format "
            "that its name says"
        ) from error
