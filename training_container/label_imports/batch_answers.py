"""The answers of batch predictions, from the Parquet files that their shards have written, for the labels of them."""

import io
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from label_imports.waiting_labels import WaitingLabel, WaitingLabels
from mlops.aws.batch_predictions_table import BatchPredictionsTable
from mlops.aws.objects import PinnedObject
from mlops.domain.batch_prediction import BatchPrediction, Shard
from mlops.domain.feedback.batch_row import asked_in
from mlops.domain.feedback.kept_answers import UNKNOWN, KeptAnswers
from mlops.domain.job import JobStatus
from mlops.domain.scoring_plan import InputFile, ScoringPlan, plan_key
from mlops_scoring.scoring import CONFIDENCE, ID, PREDICTION, PROBABILITY

ROWS = 20_000
"""Of an output, at a time."""
READ_BYTES = 8 << 20


class Refused(Exception):
    """The labels of a batch prediction cannot be taken. The message says why."""


class BatchAnswers:
    """The answers of a model's batch predictions."""

    def __init__(self, s3: Any, bucket: str, table: BatchPredictionsTable, model_name: str) -> None:
        self._s3, self._bucket, self._table, self._model_name = s3, bucket, table, model_name

    def output(self, batch_id: str) -> "Output":
        """Return the output of a batch prediction that labels can be compared with. Raises Refused: it is none."""
        record = self._table.find(batch_id)
        if record is None:
            raise Refused(f"there is no batch prediction {batch_id}")
        if record.model_name != self._model_name:
            raise Refused(f"{batch_id} is of the model {record.model_name!r}: import its labels for that model")
        if record.status is not JobStatus.COMPLETED:
            raise Refused(f"{batch_id} is {record.status}: labels are compared with the output of a completed one")
        answer = self._s3.get_object(Bucket=self._bucket, Key=plan_key(batch_id))
        plan = ScoringPlan.from_json(answer["Body"].read())
        if plan.labels is None and plan.error_unit is None:
            raise Refused(f"{batch_id} was made by an older version of the platform, which kept nothing for labels")
        return Output(self._s3, record, plan, self._table.shards(batch_id))


class Output:
    """The answers of one batch prediction."""

    def __init__(self, s3: Any, record: BatchPrediction, plan: ScoringPlan, shards: Sequence[Shard]) -> None:
        self._s3, self._plan, self._batch_id = s3, plan, record.batch_id
        self._about = (record.model_version, str(record.request["stage"]), asked_in(record.batch_id))
        self._files = {
            shard.index: file
            for shard in shards
            for file in shard.files  # one with answers, or none if all rows were set aside
            if file.key == plan.output_key(shard.index)
        }
        self.version = record.model_version
        self.answers = (record.rows or 0) - (record.rejected or 0)
        """How many there are."""

    def joined(self, labels: WaitingLabels, shard: int) -> Iterator[tuple[WaitingLabel, KeptAnswers | None]]:
        """Yield the labels of a shard with the answers that they belong to; None where a row has no answer.

        Raises:
            FileRefused: The output is not there any more as it was written.
        """
        first = 0
        for rows, answers in self._parts(shard):
            end = int(rows[-1]) + 1
            some = labels.some(self._batch_id, shard, first, end)
            places = np.searchsorted(rows, [label.row for label in some])
            found = rows[places] == [label.row for label in some]
            kept = iter(self._kept(answers.take(pa.array(places[found]))))
            yield from ((label, next(kept) if is_there else None) for label, is_there in zip(some, found, strict=True))
            first = end
        yield from ((label, None) for label in labels.some(self._batch_id, shard, first))

    def _parts(self, shard: int) -> Iterator[tuple[Any, pa.RecordBatch]]:
        """Yield the numbers of rows, which increase, int64 `[n]`, and their answers."""
        file = self._files.get(shard)
        if file is None:
            return
        pinned = PinnedObject(self._s3, InputFile(self._plan.output_bucket, file.key, file.size, file.etag))
        opened = parquet.ParquetFile(cast(BinaryIO, io.BufferedReader(pinned, READ_BYTES)), pre_buffer=False)
        columns = [name for name in opened.schema_arrow.names if name in _columns(self._plan)]
        prefix = len(f"{self._batch_id}/{shard}/")
        for part in opened.iter_batches(ROWS, columns=columns, use_threads=False):
            numbers = pc.utf8_slice_codeunits(part.column(ID), start=prefix)
            yield numbers.cast(pa.int64()).to_numpy(), part

    def _kept(self, answers: pa.RecordBatch) -> Iterator[KeptAnswers]:
        plan, predictions = self._plan, answers.column(PREDICTION).to_pylist()
        if plan.labels is None:
            assert plan.error_unit is not None
            yield from (KeptAnswers(*self._about, ((value,),), unit=plan.error_unit) for value in predictions)
            return
        for outputs in _outputs(plan.labels, predictions, answers):
            yield KeptAnswers(*self._about, (outputs,), plan.labels, threshold=plan.decision_threshold)


def _outputs(
    labels: tuple[int | str, ...], predictions: list[Any], answers: pa.RecordBatch
) -> Iterator[tuple[float, ...]]:
    """Yield the probabilities of each row: as far as they were written, or follow from the confidence."""
    if f"{PROBABILITY}{labels[0]}" in answers.schema.names:
        columns = [answers.column(f"{PROBABILITY}{label}").to_pylist() for label in labels]
        yield from zip(*columns, strict=True)
        return
    places = {str(label): place for place, label in enumerate(labels)}
    for prediction, confidence in zip(predictions, answers.column(CONFIDENCE).to_pylist(), strict=True):
        outputs = [1 - confidence if len(labels) == 2 else UNKNOWN] * len(labels)
        outputs[places[str(prediction)]] = confidence
        yield tuple(outputs)


def _columns(plan: ScoringPlan) -> set[str]:
    return {ID, PREDICTION, CONFIDENCE, *(f"{PROBABILITY}{label}" for label in plan.labels or ())}
