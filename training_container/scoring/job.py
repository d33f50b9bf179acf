"""The job of a shard: read its part of the plan, score the rows, write the answers, and report.

Everything is written under names that do not depend on the attempt, and the report comes last. So an attempt that is
killed anywhere leaves nothing that looks whole, and the next one writes the same bytes.
"""

import io
import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from mlops.aws.batch_predictions_table import BatchPredictionsTable
from mlops.aws.dynamodb import table_named
from mlops.aws.objects import PinnedObject
from mlops.domain.batch_prediction import OutputFile, Shard
from mlops.domain.scoring_plan import PlannedPart, ScoringPlan, plan_key
from mlops.settings import Settings
from mlops_contract.session import ModelRefused
from mlops_contract.table_files import FileRefused, format_of
from mlops_scoring.chunks import Chunk, Part
from mlops_scoring.model import TableModel
from mlops_scoring.reading import chunks_of
from mlops_scoring.scoring import ID, Counts, Scorer
from mlops_scoring.writing import ParquetWriter, WrittenFile

REPORT_SECONDS = 5.0
READ_BYTES = 8 << 20
MAX_REASONS = 10
"""Of a shard; the commonest are reported."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobSettings(Settings):
    """Settings of the job."""

    artifact_bucket: str
    batch_predictions_table: str
    batch_prediction_id: str


class Job:
    """A shard of a batch prediction."""

    def __init__(self, s3: Any, table: BatchPredictionsTable, plan: ScoringPlan, bucket: str, shard: int) -> None:
        self._s3, self._table, self._plan, self._bucket, self._shard = s3, table, plan, bucket, shard
        self._began = self._reported = time.monotonic()

    @classmethod
    def of(cls, settings: JobSettings, shard: int) -> "Job":
        """Read the plan."""
        s3 = boto3.client("s3", config=Config(retries={"mode": "standard", "total_max_attempts": 8}))
        answer = s3.get_object(Bucket=settings.artifact_bucket, Key=plan_key(settings.batch_prediction_id))
        table = BatchPredictionsTable(table_named(settings.batch_predictions_table))
        return cls(s3, table, ScoringPlan.from_json(answer["Body"].read()), settings.artifact_bucket, shard)

    def run(self) -> bool:
        """Do the shard; False if that is not possible. Then the report says why, and another attempt would not help."""
        try:
            with tempfile.TemporaryDirectory() as folder:
                self._report(self._score(Path(folder)))
        except (FileRefused, ModelRefused) as refused:
            logger.error("%s", refused)
            self._report(Shard(self._shard, error=str(refused), seconds=self._seconds()))
            return False
        return True

    def _score(self, folder: Path) -> Shard:
        plan = self._plan
        predictions = ParquetWriter(folder / "predictions.parquet", [ID])
        rejected = ParquetWriter(folder / "rejected.parquet")
        scorer = Scorer(
            self._model(),
            predictions,
            rejected,
            keep=plan.keep,
            id_prefix=f"{plan.batch_id}/{self._shard}",
            probabilities=plan.probabilities,
        )
        for part in plan.shards[self._shard]:
            scorer.score(self._chunks(part, scorer), self._progressed)
        written = [
            self._store(predictions.close(), plan.output_key(self._shard)),
            self._store(rejected.close(), plan.output_key(self._shard, rejected=True)),
        ]
        counts = scorer.counts
        logger.info("shard %s: %s rows, %s set aside", self._shard, counts.rows, counts.rejected)
        return self._state(counts, done=True, files=tuple(file for file in written if file is not None))

    def _chunks(self, planned: PlannedPart, scorer: Scorer) -> Iterator[Chunk]:
        file = self._plan.files[planned.file]
        pinned = PinnedObject(self._s3, file)
        # Parquet is read in large pieces from many places, text in one stream.
        opened = pinned if format_of(file.key).splits else io.BufferedReader(pinned, READ_BYTES)
        with closing(opened):
            part = Part(file.address, planned.start, planned.end)
            yield from chunks_of(part, cast(BinaryIO, opened), scorer.contract, self._plan.keep)

    def _model(self) -> TableModel:
        """Load the version that the plan names. Raises ModelRefused."""
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=self._plan.model_key)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("NoSuchKey", "AccessDenied", "404", "403"):
                raise
            raise ModelRefused(
                f"the file of {self._plan.model_name} version {self._plan.model_version} is not there any more: "
                "start the batch prediction again, with the version that serves now"
            ) from error
        return TableModel.open(answer["Body"].read(), self._plan.sha256)

    def _store(self, written: WrittenFile | None, key: str) -> OutputFile | None:
        """Upload a file; None if there is none, because no row belongs in it."""
        if written is None:
            return None
        with written.path.open("rb") as file:
            answer = self._s3.put_object(Bucket=self._plan.output_bucket, Key=key, Body=file)
        return OutputFile(key, written.rows, written.size, written.sha256, answer["ETag"])

    def _progressed(self, counts: Counts) -> None:
        if time.monotonic() - self._reported >= REPORT_SECONDS:
            self._report(self._state(counts))

    def _state(self, counts: Counts, *, done: bool = False, files: tuple[OutputFile, ...] = ()) -> Shard:
        reasons = dict(counts.reasons.most_common(MAX_REASONS))
        return Shard(self._shard, counts.rows, counts.rejected, self._seconds(), done, files, reasons)

    def _seconds(self) -> float:
        return round(time.monotonic() - self._began, 3)

    def _report(self, state: Shard) -> None:
        self._table.report(self._plan.batch_id, state)
        self._reported = time.monotonic()
