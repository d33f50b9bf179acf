"""Labels of batch predictions wait in a file of this machine until all are there, and are then read by shard. So each
output is read once, whatever the order of the labels, and the memory does not grow with them."""

import json
import sqlite3
from pathlib import Path
from typing import NamedTuple

from label_imports.reading import Row
from mlops.domain.feedback.batch_row import BatchRow

BEYOND = 1 << 62
"""More than any row's number."""


class WaitingLabel(NamedTuple):
    """A label of the row `row` of a shard, and where it was read: the row `number`, from 1, of a file."""

    row: int
    file: str
    number: int
    label: Row


class WaitingLabels:
    """The labels that wait, in the file `path`."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            "CREATE TABLE labels (batch TEXT, shard INTEGER, row INTEGER, file TEXT, number INTEGER, label TEXT);"
            "CREATE INDEX by_answer ON labels (batch, shard, row)"
        )

    def add(self, answer: BatchRow, file: str, number: int, label: Row) -> None:
        """Keep a label."""
        values = (answer.batch_id, answer.shard, answer.row, file, number, json.dumps(label))
        self._database.execute("INSERT INTO labels VALUES (?, ?, ?, ?, ?, ?)", values)

    def shards(self) -> list[tuple[str, int]]:
        """Return the batch predictions and shards that labels wait for."""
        return self._database.execute("SELECT DISTINCT batch, shard FROM labels ORDER BY batch, shard").fetchall()

    def some(self, batch_id: str, shard: int, first: int = 0, end: int = BEYOND) -> list[WaitingLabel]:
        """Return the labels of a shard's rows from `first` up to `end`, without it, in the order of the rows."""
        found = self._database.execute(
            "SELECT row, file, number, label FROM labels WHERE batch = ? AND shard = ? AND row >= ? AND row < ? "
            "ORDER BY row, rowid",
            (batch_id, shard, first, end),
        )
        return [WaitingLabel(row, file, number, json.loads(label)) for row, file, number, label in found]

    def close(self) -> None:
        """Close the file."""
        self._database.close()
