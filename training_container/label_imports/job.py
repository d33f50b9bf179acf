"""The job of an import of labels: read the rows, take each label as POST /feedback does, and report.

What was taken is taken once, whatever happens: an attempt that is killed anywhere leaves labels that the next attempt
finds unchanged.
"""

import csv
import itertools
import logging
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TextIO, cast

import boto3
from botocore.config import Config
from pydantic import ValidationError

from label_imports.batch_answers import BatchAnswers, Output, Refused
from label_imports.reading import Row, rows_of
from label_imports.waiting_labels import WaitingLabel, WaitingLabels
from mlops.aws.batch_predictions_table import BatchPredictionsTable
from mlops.aws.label_imports_table import LabelImportsTable
from mlops.aws.label_intake import LabelIntake
from mlops.aws.objects import PinnedObject
from mlops.domain.errors import DependencyUnavailable, ValidationFailed
from mlops.domain.feedback.batch_row import batch_row
from mlops.domain.feedback.given_label import GivenLabel
from mlops.domain.feedback.giving import Taken
from mlops.domain.feedback.kept_answers import KeptAnswers
from mlops.domain.feedback.label_files import COLUMNS
from mlops.domain.feedback.label_import import LabelImport
from mlops.domain.job import JobStatus
from mlops.domain.scoring_plan import InputFile
from mlops_contract.table_files import FileRefused

CHUNK = 500
REPORT_SECONDS = 5.0
NO_ANSWER = "the batch prediction has no such answer; rows that were set aside have none"
TRIES = 6
"""Of a label that others change at the same time, or whose model's manifest S3 does not answer with."""
logger = logging.getLogger(__name__)


class _Read(NamedTuple):
    """A row: where it is, what it has, and its label; None if it has no valid one, and then why. Of a batch prediction
    also the answers that it belongs to."""

    file: str
    number: int
    row: Row
    label: GivenLabel | None
    reason: str = ""
    answers: KeptAnswers | None = None


class Job:
    """An import of labels."""

    def __init__(
        self,
        s3: Any,
        bucket: str,
        table: LabelImportsTable,
        batches: BatchPredictionsTable,
        intake: LabelIntake,
        record: LabelImport,
    ) -> None:
        self._s3, self._bucket, self._table, self._intake, self._record = s3, bucket, table, intake, record
        self._batch_answers = BatchAnswers(s3, bucket, batches, record.model_name)
        self._rows, self._counts = 0, Counter[str]()
        self._reported = time.monotonic()

    @classmethod
    def from_environment(cls) -> "Job":
        s3 = boto3.client("s3", config=Config(retries={"mode": "standard", "total_max_attempts": 8}))
        table = LabelImportsTable.from_environment()
        record = table.get(os.environ["LABEL_IMPORT_ID"])
        batches = BatchPredictionsTable.from_environment()
        return cls(s3, os.environ["ARTIFACT_BUCKET"], table, batches, LabelIntake.from_environment(), record)

    def run(self) -> bool:
        """Take the labels; False if a file cannot be read. Then the record says why, and another attempt would not
        help."""
        record = self._record
        if record.status.has_ended:
            logger.info("%s has ended already: %s", record.import_id, record.status)
            return True
        self._table.started(record.import_id)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "refused.csv")
            error = None
            waiting = WaitingLabels(Path(folder, "waiting.sqlite"))
            with path.open("w", newline="", encoding="utf-8") as stream, closing(waiting):
                try:
                    self._take(_written(stream), waiting)
                except FileRefused as refused:
                    error = str(refused)
            key = self._store(path)
        status = JobStatus.FAILED if error else JobStatus.COMPLETED
        ended = {"rows": self._rows, "counts": dict(self._counts), "refused_file": key, "error": error}
        self._table.finish(record.import_id, status, **{name: value for name, value in ended.items() if value})
        logger.info("%s rows: %s%s", self._rows, dict(self._counts), f"; {error}" if error else "")
        return error is None

    def _take(self, refused: "csv.DictWriter[str]", waiting: WaitingLabels) -> None:
        rows = itertools.chain(self._of_requests(waiting), self._of_batches(waiting))
        while chunk := list(itertools.islice(rows, CHUNK)):
            for read, taken in zip(chunk, self._taken(chunk), strict=True):
                self._rows += 1
                self._counts[taken.status] += 1
                if taken.status == "refused":
                    kept = {name: read.row.get(name, "") for name in COLUMNS}
                    refused.writerow({**kept, "file": read.file, "row_in_file": read.number, "reason": taken.detail})
            if time.monotonic() - self._reported >= REPORT_SECONDS:
                self._table.progressed(self._record.import_id, self._rows, self._counts)
                self._reported = time.monotonic()

    def _of_requests(self, waiting: WaitingLabels) -> Iterator[_Read]:
        """Yield the rows of the files, but for the labels of batch predictions: they wait for their answers."""
        for file, number, row in self._all_rows():
            read = self._read(file, number, row)
            of_batch = batch_row(read.label.prediction_id) if read.label is not None else None
            if of_batch is not None:
                waiting.add(of_batch, file, number, row)
            else:
                yield read

    def _of_batches(self, waiting: WaitingLabels) -> Iterator[_Read]:
        """Yield the labels of batch predictions, with their answers."""
        for batch_id, pairs in itertools.groupby(waiting.shards(), lambda pair: pair[0]):
            shards = [shard for _, shard in pairs]
            try:
                output = self._batch_answers.output(batch_id)
            except Refused as error:
                for shard in shards:
                    yield from (_refused(label, str(error)) for label in waiting.some(batch_id, shard))
                continue
            self._intake.expect_of_batch(self._record.model_name, batch_id, output.version, output.answers)
            for shard in shards:
                yield from self._of_shard(waiting, output, batch_id, shard)

    def _of_shard(self, waiting: WaitingLabels, output: Output, batch_id: str, shard: int) -> Iterator[_Read]:
        first = 0
        try:
            for label, answers in output.joined(waiting, shard):
                first = label.row + 1
                read = self._read(label.file, label.number, label.label)
                yield read._replace(answers=answers) if answers is not None else _refused(label, NO_ANSWER)
        except FileRefused as error:
            yield from (_refused(label, str(error)) for label in waiting.some(batch_id, shard, first))

    def _all_rows(self) -> Iterator[tuple[str, int, Row]]:
        for described in self._record.files:
            file = InputFile(**described)
            with PinnedObject(self._s3, file) as opened:
                for number, row in rows_of(file.address, cast(BinaryIO, opened)):
                    yield file.address, number, row

    def _read(self, file: str, number: int, row: Row) -> _Read:
        if (reason := row.get("cannot_be_read")) is not None:
            return _Read(file, number, row, None, reason)
        try:
            return _Read(file, number, row, GivenLabel.model_validate({**_typed(row), "replace": self._record.replace}))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"][:1])
            message = first["msg"].removeprefix("Value error, ")
            return _Read(file, number, row, None, f"{place}: {message}" if place else message)

    def _taken(self, chunk: list[_Read]) -> Iterable[Taken]:
        """Return what became of each row. Labels that could not be decided now are tried again.

        Raises:
            DependencyUnavailable: Some could still not be decided.
        """
        labels = {at: read.label for at, read in enumerate(chunk) if read.label is not None}
        answers = {str(read.row["prediction_id"]): read.answers for read in chunk if read.answers is not None}
        if answers:
            self._intake.keep_of_batches(self._record.model_name, answers)
        found = {
            at: Taken("refused", ValidationFailed.code, read.reason)
            for at, read in enumerate(chunk)
            if read.label is None
        }
        for pause in (0.5 * 2**number for number in range(TRIES)):
            taken = self._intake.take_all(self._record.model_name, [*labels.values()], self._record.actor)
            found |= dict(zip(labels, taken, strict=True))
            labels = {at: label for at, label in labels.items() if found[at].code == DependencyUnavailable.code}
            if not labels:
                return [found[at] for at in range(len(chunk))]
            time.sleep(pause)
        raise DependencyUnavailable(found[next(iter(labels))].detail or "A service of AWS does not answer")

    def _store(self, path: Path) -> str | None:
        """Upload the file of refused labels; None if there are none."""
        if not self._counts["refused"]:
            return None
        key = self._record.refused_key
        with path.open("rb") as file:
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=file, ContentType="text/csv; charset=utf-8")
        return key


def _refused(label: WaitingLabel, reason: str) -> _Read:
    return _Read(label.file, label.number, label.label, None, f"prediction_id: {reason}")


def _written(stream: TextIO) -> "csv.DictWriter[str]":
    """Return the writer of refused labels: the columns of an import, so that the file can be mended and sent again."""
    writer = csv.DictWriter(stream, [*COLUMNS, "file", "row_in_file", "reason"])
    writer.writeheader()
    return writer


def _typed(row: Row) -> Row:
    """Return a row with the row's number as such: in CSV it is text."""
    number = row.get("row")
    return {**row, "row": int(number)} if isinstance(number, str) and number.isdecimal() else row
