"""From Arrow's columns to the inputs of a table model: each value as strictly as `rows.RowEncoder` takes it, and a row
that the contract does not allow is named, while the others are encoded.

It needs pyarrow, so functions do not import it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_contract.cells import reader_of
from mlops_contract.columns import Column, ColumnType
from mlops_contract.contract import CATEGORIES, NUMBERS, Contract
from mlops_contract.dates import Doubles, date_parts
from mlops_contract.rows import Feeds, Refusal
from mlops_contract.values import ABSENT, ValueRefused, limits, take_of

_NUMBER_TEXT = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
"""A number as JSON has it: most cells, and Arrow reads them all at once."""
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800.0, 253_402_300_800.0
"""The years 1 to 9999."""
Refusals = dict[int, Refusal]
"""The first reason of each row that the contract refuses."""


class ColumnRefused(ValueError):
    """A whole column has a type that the model does not take. The message names the column."""


class Inputs(NamedTuple):
    """The model's inputs for all rows; in those of the `refusals` they mean nothing."""

    feeds: Feeds
    refusals: Refusals


class ArrowEncoder:
    """Encodes record batches.

    Args:
        contract: The model's.
        cells: Whether all columns are texts of a CSV file's cells: `cells.reader_of` then says what each text is.
    """

    def __init__(self, contract: Contract, *, cells: bool = False) -> None:
        self.contract, self._cells = contract, cells
        self._takes = [(column, take_of(column)) for column in contract.columns]
        forms = contract.forms if cells else {}
        self._reads = {column.name: reader_of(column, forms.get(column.name)) for column in contract.columns}

    def check(self, schema: pa.Schema) -> None:
        """Check the types of a file's columns. Raises ColumnRefused."""
        for column in self.contract.columns:
            if column.name in schema.names and not self._cells:
                kind = schema.field(column.name).type
                if not (pa.types.is_null(kind) or any(test(kind) for test in _TAKEN[column.type])):
                    wanted = _WANTED[column.type]
                    raise ColumnRefused(f"the column {column.name!r} has the type {kind}, and must have {wanted}")

    def encode(self, batch: pa.RecordBatch) -> Inputs:
        """Encode rows. Columns that are not of the contract are passed over.

        Returns:
            `numbers` float32 `[n, k]` and `categories` strings as objects `[n, m]`, and the rows that are refused.
        """
        count, refusals = batch.num_rows, Refusals()
        numbers = np.empty((count, self.contract.numbers), np.float32)
        categories = np.empty((count, self.contract.categories), object)
        present = set(batch.schema.names)
        for column, take in self._takes:
            place = slice(column.position, column.positions.stop)
            if column.name not in present:
                target = categories if column.type is ColumnType.STRING else numbers
                target[:, place] = take(ABSENT)
                continue
            values = batch.column(column.name)
            if pa.types.is_null(values.type):
                values = values.cast(pa.string())
            if column.type is ColumnType.STRING:
                categories[:, column.position] = self._distinct(column, take, values, refusals)
            elif _is_text(values.type):
                numbers[:, place] = self._of_text(column, take, values, refusals)
            elif column.type is ColumnType.DATETIME:
                numbers[:, place] = _times(column, take, values, refusals)
            else:
                numbers[:, place] = _numbers(column, take, _doubles(values), refusals)[:, None]
        feeds = {NUMBERS: numbers, CATEGORIES: categories}
        return Inputs({name: feed for name, feed in feeds.items() if feed.shape[1]}, refusals)

    def _of_text(
        self, column: Column, take: Callable[[Any], Any], values: pa.Array, refusals: Refusals
    ) -> np.ndarray[Any, Any]:
        """Return the numbers `[n, width]` of a column of text that is no category."""
        if self._cells and column.type in (ColumnType.DOUBLE, ColumnType.LONG):
            return _numbers(column, take, self._cells_of(column, take, values, refusals), refusals)[:, None]
        converted = self._distinct(column, take, values, refusals)
        width = column.type.width
        return np.array(converted.tolist(), np.float64).reshape(len(values), width)

    def _cells_of(self, column: Column, take: Callable[[Any], Any], values: pa.Array, refusals: Refusals) -> Doubles:
        """Return the numbers `[n]` in cells, NaN for missing ones. What is no number is refused as the text it is."""
        texts = values
        if column.name in self.contract.forms:  # a decimal comma; with a point beside it, it is no number
            texts = pc.if_else(
                pc.match_substring(values, "."), "", pc.replace_substring(values, ",", ".", max_replacements=1)
            )
        usual = pc.match_substring_regex(texts, _NUMBER_TEXT)
        doubles = _doubles(pc.cast(pc.if_else(usual, texts, None), pa.float64()))
        for row in np.flatnonzero(~usual.to_numpy(zero_copy_only=False)):
            value = self._reads[column.name](values[int(row)].as_py())
            if type(value) is str:
                _check(int(row), column, take, value, refusals)
                value = 0.0
            doubles[row] = np.nan if value is None else value
        return doubles

    def _distinct(
        self, column: Column, take: Callable[[Any], Any], values: pa.Array, refusals: Refusals
    ) -> np.ndarray[Any, Any]:
        """Return what `take` makes of each text, objects `[n]`, with one call for each distinct text."""
        encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
        texts = [self._read(column, text) for text in [*encoded.dictionary.to_pylist(), None]]
        converted = np.empty(len(texts), object)
        reasons: dict[int, str] = {}
        for code, text in enumerate(texts):
            try:
                converted[code] = take(text)
            except ValueRefused as refused:
                reasons[code], converted[code] = str(refused), _NOTHING[column.type]
        codes = encoded.indices.fill_null(len(texts) - 1).to_numpy(zero_copy_only=False)
        if reasons:
            for row in np.flatnonzero(np.isin(codes, list(reasons))):
                refusals.setdefault(int(row), Refusal(int(row), column.name, reasons[int(codes[row])]))
        taken: np.ndarray[Any, Any] = converted[codes]
        return taken

    def _read(self, column: Column, text: str | None) -> Any:
        """Return the value that a text stands for."""
        return text if text is None or not self._cells else self._reads[column.name](text)


def _doubles(values: pa.Array) -> Doubles:
    """Return numbers or booleans as float64 `[n]`, null as NaN."""
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.uint8())
    # A copy, as Arrow's own memory must not be changed. Neighbours of large whole numbers are one number to the model.
    return np.array(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64)


def _numbers(column: Column, take: Callable[[Any], Any], numbers: Doubles, refusals: Refusals) -> Doubles:
    """Return the numbers `[n]`. Those that may not be allowed are checked one by one."""
    missing = np.isnan(numbers)
    low, high = limits(column)
    doubtful = ~((numbers >= low) & (numbers <= high)) & ~missing
    if column.type is ColumnType.LONG:
        doubtful |= (numbers != np.rint(numbers)) & ~missing
    if not column.null_ok:
        doubtful |= missing
    if column.type is ColumnType.BOOLEAN:
        doubtful &= missing
    for row in np.flatnonzero(doubtful):
        if not _check(int(row), column, take, None if missing[row] else float(numbers[row]), refusals):
            numbers[row] = 0.0
    return numbers


def _times(column: Column, take: Callable[[Any], Any], values: pa.Array, refusals: Refusals) -> Doubles:
    """Return the date parts `[n, 4]` of timestamps or dates. Those without a time zone are in UTC."""
    zone = values.type.tz if pa.types.is_timestamp(values.type) else None
    microseconds = values.cast(pa.timestamp("us", zone), safe=False).cast(pa.int64())
    missing = microseconds.is_null().to_numpy(zero_copy_only=False)
    seconds = np.where(missing, np.nan, microseconds.fill_null(0).to_numpy(zero_copy_only=False) / 1e6)
    beyond = ~((seconds >= _FIRST_SECOND) & (seconds < _LAST_SECOND)) & ~missing
    for row in np.flatnonzero(beyond):
        refusals.setdefault(int(row), Refusal(int(row), column.name, "must be within the years 1 to 9999"))
    seconds[beyond] = 0.0
    if not column.null_ok:
        for row in np.flatnonzero(missing):
            _check(int(row), column, take, None, refusals)
    return date_parts(seconds)


def _check(row: int, column: Column, take: Callable[[Any], Any], value: Any, refusals: Refusals) -> bool:
    """Return whether the contract allows a value, and note the reason if it does not."""
    try:
        take(value)
    except ValueRefused as refused:
        refusals.setdefault(row, Refusal(row, column.name, str(refused)))
        return False
    return True


def _is_text(kind: pa.DataType) -> bool:
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_string_view(value))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _is_time(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


_TAKEN: dict[ColumnType, tuple[Callable[[pa.DataType], bool], ...]] = {
    ColumnType.DOUBLE: (_is_number,),
    ColumnType.LONG: (_is_number,),
    ColumnType.BOOLEAN: (pa.types.is_boolean,),
    ColumnType.STRING: (_is_text,),
    ColumnType.DATETIME: (_is_time, _is_text),
}
_WANTED = {
    ColumnType.DOUBLE: "numbers",
    ColumnType.LONG: "numbers",
    ColumnType.BOOLEAN: "booleans",
    ColumnType.STRING: "text",
    ColumnType.DATETIME: "times",
}
_NOTHING: dict[ColumnType, Any] = {
    ColumnType.BOOLEAN: 0.0,
    ColumnType.STRING: "",
    ColumnType.DATETIME: (0.0,) * ColumnType.DATETIME.width,
    ColumnType.DOUBLE: 0.0,
    ColumnType.LONG: 0.0,
}
"""What stands in the inputs for a value that is refused."""
