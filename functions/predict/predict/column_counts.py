"""Count the columns of a table model's rows for drift, as one short string in the request's log line.

It has numbers of rows by bin, and no value. Not every request of a busy hour is counted (`predict.sampling`).
"""

import base64
import zlib
from typing import Any, NamedTuple

import numpy as np
import orjson

from mlops_contract import Contract
from mlops_contract.column_bins import ColumnBins
from mlops_contract.table_reference import TableReference
from predict.sampling import Sampling

_FAST = 1


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
