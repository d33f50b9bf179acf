"""Score chunks: ask the model for the rows that its contract allows, and set the others aside with their reasons."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_contract import Contract
from mlops_contract.rows import Refusal
from mlops_contract.table_files import FileRefused
from mlops_contract.values import shown
from mlops_scoring.chunks import Chunk
from mlops_scoring.model import Answers, TableModel
from mlops_scoring.writing import ParquetWriter

ID, PREDICTION, CONFIDENCE = "prediction_id", "prediction", "confidence"
PROBABILITY = "probability_"
REJECTED_COLUMNS = ("file", "row", "column", "reason", "value")
NO_ANSWER = "the model has no finite answer to these numbers; send numbers like those that it was trained on"
MAX_REASONS = 1_000
"""Different reasons that are counted; what is beyond is counted by its column."""


@dataclass
class Counts:
    """What was done so far.

    Attributes:
        rows: Rows that were read, with those that were set aside.
        rejected: Rows that were set aside.
        reasons: How often each reason occurred.
    """

    rows: int = 0
    rejected: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def reject(self, column: str | None, reason: str) -> None:
        """Count a row that is set aside."""
        text = f"{column}: {reason}" if column else reason
        if text not in self.reasons and len(self.reasons) >= MAX_REASONS:
            text = f"{column}: other values" if column else "other rows"
        self.reasons[text] += 1
        self.rejected += 1


class Scorer:
    """Scores the rows of a shard.

    Args:
        model: The model.
        predictions: Where the answers go.
        rejected: Where the rows go that are set aside.
        keep: The columns that are copied beside the answers.
        id_prefix: A row's prediction id is this, a slash, and its place in the shard, from 0.
        probabilities: Whether to write the probability of each class.
    """

    def __init__(
        self,
        model: TableModel,
        predictions: ParquetWriter,
        rejected: ParquetWriter,
        *,
        keep: Sequence[str] = (),
        id_prefix: str,
        probabilities: bool = False,
    ) -> None:
        self._model, self._predictions, self._rejected = model, predictions, rejected
        self._keep, self._id_prefix, self._probabilities = tuple(keep), id_prefix, probabilities
        self._labels = _labels(model.labels)
        self._kept_schema: pa.Schema | None = None
        self._next = 0
        self.counts = Counts()

    @property
    def contract(self) -> Contract:
        """The model's contract, which the chunks are made with."""
        return self._model.contract

    def score(self, chunks: Iterable[Chunk], on_progress: Callable[[Counts], None] = lambda counts: None) -> None:
        """Score chunks, and call `on_progress` after each.

        Raises:
            FileRefused: A column to keep has another type than in the files before.
        """
        for chunk in chunks:
            self._score(chunk)
            on_progress(self.counts)

    def _score(self, chunk: Chunk) -> None:
        count = len(chunk.rows)
        kept = self._kept(chunk)
        refusals = dict(chunk.inputs.refusals)
        accepted = np.ones(count, bool)
        accepted[list(refusals)] = False
        if accepted.any():
            feeds = chunk.inputs.feeds
            if refusals:
                feeds = {name: feed[accepted] for name, feed in feeds.items()}
            answers = self._model.answers(feeds)
            finite = np.isfinite(answers.values)
            places = np.flatnonzero(accepted)
            for place in places[~finite]:
                refusals[int(place)] = Refusal(int(place), "", NO_ANSWER)
            self._predictions.write(self._answered(answers, finite, places[finite], kept))
        self._set_aside(chunk, refusals, kept)
        self.counts.rows += count + len(chunk.spoiled)
        self._next += count

    def _answered(self, answers: Answers, finite: Any, places: Any, kept: pa.RecordBatch) -> pa.RecordBatch:
        ordinals = pa.array(self._next + places).cast(pa.string())
        columns: dict[str, pa.Array] = {ID: pc.binary_join_element_wise(self._id_prefix, ordinals, "/")}
        columns |= {name: kept.column(name).take(pa.array(places)) for name in self._keep}
        values = pa.array(answers.values[finite])
        if answers.classes is None:
            columns[PREDICTION] = values
        else:
            columns[PREDICTION] = self._labels.take(pa.array(answers.classes[finite]))
            columns[CONFIDENCE] = values
            if self._probabilities:
                outputs = answers.outputs[finite]
                columns |= {
                    f"{PROBABILITY}{label}": pa.array(np.ascontiguousarray(outputs[:, place]))
                    for place, label in enumerate(self._model.labels)
                }
        return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))

    def _set_aside(self, chunk: Chunk, refusals: dict[int, Refusal], kept: pa.RecordBatch) -> None:
        if not refusals and not chunk.spoiled:
            return
        places = sorted(refusals)
        entries: list[tuple[int, int | None, str | None, str, str | None]] = [
            (row.row, None, None, row.reason, None) for row in chunk.spoiled
        ]
        for place in places:
            _, column, reason = refusals[place]
            entries.append((int(chunk.rows[place]), place, column or None, reason, _value(chunk.table, column, place)))
        entries.sort(key=lambda entry: entry[0])
        for entry in entries:
            self.counts.reject(entry[2], entry[3])
        rows, origins, columns, reasons, values = zip(*entries, strict=True)
        arrays = [
            pa.array([chunk.file] * len(entries), pa.string()),
            pa.array(rows, pa.int64()),
            pa.array(columns, pa.string()),
            pa.array(reasons, pa.string()),
            pa.array(values, pa.string()),
            *(kept.column(name).take(pa.array(origins, pa.int64())) for name in self._keep),
        ]
        self._rejected.write(pa.RecordBatch.from_arrays(arrays, [*REJECTED_COLUMNS, *self._keep]))

    def _kept(self, chunk: Chunk) -> pa.RecordBatch:
        """Return the columns to keep, in the types that they have in the first file."""
        kept = chunk.table.select(list(self._keep)) if self._keep else chunk.table
        if not self._keep:
            return kept
        if self._kept_schema is None:
            self._kept_schema = pa.schema([(entry.name, _plain(entry.type)) for entry in kept.schema])
        if kept.schema.types == self._kept_schema.types:
            return kept
        try:
            return pa.RecordBatch.from_arrays(
                [kept.column(entry.name).cast(entry.type) for entry in self._kept_schema], schema=self._kept_schema
            )
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise FileRefused(
                f"{chunk.file}: a column of `keep` has another type than in the files before it ({error}); write it "
                "with one type, or leave it out of `keep`"
            ) from error


def _labels(labels: Sequence[int | str]) -> pa.Array:
    """Return the labels, as whole numbers or as text."""
    if all(isinstance(label, int) for label in labels):
        return pa.array(labels, pa.int64())
    return pa.array([str(label) for label in labels], pa.string())


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return the type of a dictionary's values; other types as they are. A column of nulls alone becomes text."""
    if pa.types.is_null(kind):
        return pa.string()
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _value(table: pa.RecordBatch, column: str, place: int) -> str | None:
    """Return the value that was refused, as a message shows it."""
    if column not in table.schema.names:
        return None
    value = table.column(column)[place].as_py()
    return None if value is None else shown(value)[1:-1] if isinstance(value, str) else shown(str(value))[1:-1]
