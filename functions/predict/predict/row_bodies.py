"""Rows of tables in the bodies of MLflow's scoring protocol: `dataframe_split`, `dataframe_records`, `instances`,
`inputs` and CSV."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from mlops.domain.errors import ValidationFailed
from mlops_contract import Contract
from mlops_contract.cells import BLANKS, reader_of
from mlops_contract.rows import Encoded, RowEncoder, RowsRefused
from predict.request import MAX_ERRORS, MAX_ROWS, is_printable

FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")
_SPLIT = ("columns", "index", "data")

Row = dict[str, Any]


class Rows(NamedTuple):
    """Rows, the field that they came from, and what an error calls the value of a column in a row."""

    rows: list[Row]
    source: str
    place: Callable[[int, str], str]


def encoded(encoder: RowEncoder, sent: Rows) -> Encoded:
    """Convert rows to the model's inputs.

    Raises:
        ValidationFailed: The contract does not allow a value. Names row and column, of at most five.
    """
    try:
        return encoder.encode(sent.rows, batch=True)
    except RowsRefused as refused:
        known = {column.name for column in encoder.contract.columns}
        raise ValidationFailed.of_fields(
            (sent.place(row, column if column in known or is_printable(column) else "…"), message)
            for row, column, message in refused.refusals
        ) from None


def one_of(document: Mapping[str, Any], formats: Sequence[str]) -> tuple[str, Any]:
    """Return the only field of a body, which must be one of `formats`. Raises ValidationFailed."""
    if len(document) != 1 or not document.keys() <= {*formats}:
        unknown = [name for name in document if name not in formats][:MAX_ERRORS]
        sent = next((name for name in document if name in formats), formats[0])
        errors = [(name if is_printable(name) else "body", "is not a field of this request") for name in unknown] or [
            (sent, f"send exactly one of {', '.join(formats)}")
        ]
        raise ValidationFailed.of_fields(errors)
    ((source, value),) = document.items()
    return source, value


def of_json(document: Mapping[str, Any], contract: Contract) -> Rows:
    """Return the rows of a JSON body. Raises ValidationFailed: it is none of the `FORMATS`. Names the field."""
    source, value = one_of(document, FORMATS)
    if source == "dataframe_split":
        return _split(source, value)
    if source == "inputs" and type(value) is dict:
        return of_columns(source, value)
    rows = _list(source, value)
    if source != "dataframe_records" and type(rows[0]) is list:
        return _in_order(source, rows, contract)
    for index, row in enumerate(rows):
        if type(row) is not dict:
            raise ValidationFailed.of_field(f"{source}.{index}", "must be an object of columns")
    return Rows(rows, source, lambda row, column: f"{source}.{row}.{column}")


def of_csv(text: str, contract: Contract) -> Rows:
    """Return the rows of a CSV file: a header with the columns, and commas between cells.

    Cells are read as the contract says. Raises ValidationFailed: the text is no such file. Names the line.
    """
    header, lines, records = _records(text)
    columns = {column.name: column for column in contract.columns}
    reads = [reader_of(columns[name], contract.forms.get(name)) if name in columns else str for name in header]
    rows = [{name: read(cell) for name, read, cell in zip(header, reads, record, strict=True)} for record in records]
    return Rows(rows, "csv", lambda row, column: f"csv.line {lines[row]}.{column}")


def of_columns(source: str, columns: Mapping[str, Any]) -> Rows:
    """Return rows from a list of values for each column. Raises ValidationFailed: they are no lists of one length."""
    if columns and not any(type(values) is list for values in columns.values()):
        return Rows([dict(columns)], source, lambda _, column: f"{source}.{column}")
    length = None
    for name, values in columns.items():
        field = f"{source}.{name}" if is_printable(name) else source
        if type(values) is not list:
            raise ValidationFailed.of_field(field, "must be a list of the column's values, one for each row")
        if length not in (None, len(values)):
            raise ValidationFailed.of_field(field, f"has {len(values)} values, and the column before it {length}")
        length = len(values)
    _check_count(source, length or 0)
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return Rows(rows, source, lambda row, column: f"{source}.{column}.{row}")


def _split(source: str, value: Any) -> Rows:
    if type(value) is not dict or not {"columns", "data"} <= value.keys() <= {*_SPLIT}:
        raise ValidationFailed.of_field(source, "must be an object of columns and data, and index or not")
    names = value["columns"]
    if type(names) is not list or {*map(type, names)} != {str}:
        raise ValidationFailed.of_field(f"{source}.columns", "must be a list of the columns' names")
    if len({*names}) != len(names):
        raise ValidationFailed.of_field(f"{source}.columns", "has a name twice")
    rows = []
    for index, values in enumerate(_list(f"{source}.data", value["data"])):
        if type(values) is not list or len(values) != len(names):
            raise ValidationFailed.of_field(f"{source}.data.{index}", f"must be a list of {len(names)} values")
        rows.append(dict(zip(names, values, strict=True)))
    return Rows(rows, source, lambda row, column: f"{source}.data.{row}.{column}")


def _in_order(source: str, lists: list[Any], contract: Contract) -> Rows:
    """Return rows from lists in the order of the columns, which a model of numbers takes."""
    names = [column.name for column in contract.columns]
    if not contract.takes_lists:
        raise ValidationFailed.of_field(source, "must be a list of objects: this model has named columns")
    for index, values in enumerate(lists):
        if type(values) is not list or len(values) != len(names):
            raise ValidationFailed.of_field(f"{source}.{index}", f"must be a list of {len(names)} numbers")
    rows = [dict(zip(names, values, strict=True)) for values in lists]
    return Rows(rows, source, lambda row, column: f"{source}.{row}.{names.index(column)}")


def _records(text: str) -> tuple[list[str], list[int], list[list[str]]]:
    """Return the header, the line on which each record begins, and the records, without blank lines."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    lines, records, line = [], [], 1
    try:
        for record in reader:
            if record:
                lines.append(line)
                records.append(record)
            line = reader.line_num + 1
    except csv.Error as error:
        raise ValidationFailed.of_field(f"csv.line {line}", f"cannot be read: {error}") from None
    _check_count("csv", len(records) - 1)
    header = [name.strip(BLANKS) for name in records[0]]
    if len({*header}) != len(header):
        raise ValidationFailed.of_field(f"csv.line {lines[0]}", "has the name of a column twice")
    for at, record in zip(lines, records, strict=True):
        if len(record) != len(header):
            raise ValidationFailed.of_field(
                f"csv.line {at}", f"has {len(record)} cells, and the header has {len(header)}"
            )
    return header, lines[1:], records[1:]


def _list(source: str, value: Any) -> list[Any]:
    if type(value) is not list:
        raise ValidationFailed.of_field(source, "must be a list of rows")
    _check_count(source, len(value))
    return value


def _check_count(source: str, count: int) -> None:
    if not 1 <= count <= MAX_ROWS:
        raise ValidationFailed.of_field(source, f"has {max(0, count)} rows; send 1 to {MAX_ROWS} per request")
