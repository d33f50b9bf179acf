"""Count the columns of a table model's rows for drift, as one short string in the request's log line.

It has numbers of rows by bin, and no value. Not every request of a busy hour is counted: some thousand rows describe an
hour, and the time and the log of more would be wasted.
"""

import base64
import time
import zlib
from typing import Any, NamedTuple

import numpy as np
import orjson

from mlops_contract import Contract
from mlops_contract.column_bins import ColumnBins
from mlops_contract.table_reference import TableReference

ROWS_PER_HOUR = 2000
"""Of an environment. After so many counted rows, only half as many requests are counted, and so on."""
_FAST = 1


class Sampling:
    """Decides which requests are counted: each `stride`-th on average, by the request id.

    By the id, because every eighth request could always come from the same client. An hour begins with the stride that
    would have fitted the hour before, so that the counts of a steady day are spread evenly over its hours.
    """

    def __init__(self) -> None:
        self.stride = 1
        self._hour, self._seen, self._counted = 0, 0, 0

    def takes(self, request_id: str, rows: int, known_stride: int = 1) -> int:
        """Return the stride by which a request is chosen, or 0 if its rows are not counted.

        Args:
            request_id: The request's id.
            rows: How many it has.
            known_stride: Of a repeated request, the stride by which the first one was chosen. Its repetitions are
                chosen that much more often, so that every row counts with the same probability.
        """
        hour = int(time.time()) // 3600
        if hour != self._hour:
            self.stride = _power_of_two(self._seen // ROWS_PER_HOUR) if hour == self._hour + 1 else 1
            self._hour, self._seen, self._counted = hour, 0, 0
        self._seen += rows
        if hash(request_id) % self.stride >= known_stride:
            return 0
        chosen_by = self.stride
        self._counted += rows
        if self._counted >= ROWS_PER_HOUR:
            self._counted = 0
            self.stride *= 2
        return chosen_by


class RowCounts(NamedTuple):
    """The counts of one request's rows, which the answer cache keeps for its repetitions."""

    fields: str
    rows: int
    stride: int
    sampling: Sampling

    def of(self, request_id: str, *, repeated: bool) -> str:
        """Return the fields for the log line, with a comma before; none for a repetition that is not counted."""
        return self.fields if not repeated or self.sampling.takes(request_id, self.rows, self.stride) else ""


class ColumnCounter:
    """Counts the rows of one loaded model."""

    def __init__(self, contract: Contract, reference: TableReference) -> None:
        self._bins = ColumnBins(contract, reference)
        self._layout = reference.layout
        self._sampling = Sampling()

    def count(self, request_id: str, feeds: dict[str, Any], outputs: np.ndarray) -> RowCounts | None:
        """Count the rows of a request; None if it is not chosen.

        Args:
            request_id: The request's id.
            feeds: The model's inputs.
            outputs: Its answers, float32 `[n, k]`, at most 65,535 rows.
        """
        stride = self._sampling.takes(request_id, len(outputs))
        if not stride:
            return None
        counts = self._bins.count(feeds, outputs).astype("<u2").tobytes()
        packed = base64.urlsafe_b64encode(zlib.compress(counts, _FAST)).decode()
        columns = orjson.dumps({"layout": self._layout, "counts": packed}).decode()
        return RowCounts(f',"columns":{columns}', len(outputs), stride, self._sampling)


def counter_of(contract: Contract, reference: TableReference | None) -> ColumnCounter | None:
    """Return the counter of a model; None if it has no reference."""
    return ColumnCounter(contract, reference) if reference is not None else None


def _power_of_two(number: int) -> int:
    """Return the largest power of two that is at most the number, and at least 1."""
    return 1 << max(0, number.bit_length() - 1)
