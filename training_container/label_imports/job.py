"""The job of an import of labels: read the rows, take each label as POST /feedback does, and report.

What was taken is taken once, whatever happens: an attempt that is killed anywhere leaves labels that the next attempt
finds unchanged.
"""

import csv
import logging
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TextIO, cast

import boto3
from botocore.config import Config
from pydantic import ValidationError

from label_imports.reading import Row, rows_of
from mlops.aws.label_imports_table import LabelImportsTable
from mlops.aws.label_intake import LabelIntake
from mlops.aws.objects import PinnedObject
from mlops.domain.errors import DependencyUnavailable, ValidationFailed
from mlops.domain.feedback.given_label import GivenLabel
from mlops.domain.feedback.giving import Taken
from mlops.domain.feedback.label_files import COLUMNS
from mlops.domain.feedback.label_import import LabelImport
from mlops.domain.job import JobStatus
from mlops.domain.scoring_plan import InputFile
from mlops_contract.table_files import FileRefused

CHUNK = 500
REPORT_SECONDS = 5.0
TRIES = 6
"""Of a label that others change at the same time, or whose model's manifest S3 does not answer with."""
logger = logging.getLogger(__name__)


class _Read(NamedTuple):
    """A row: where it is, what it has, and its label; None if it has no valid one, and then why."""

    file: str
    number: int
    row: Row
    label: GivenLabel | None
    reason: str = ""


class Job:
    """An import of labels."""

    def __init__(
        self, s3: Any, bucket: str, table: LabelImportsTable, intake: LabelIntake, record: LabelImport
    ) -> None:
        self._s3, self._bucket, self._table, self._intake, self._record = s3, bucket, table, intake, record
        self._rows, self._counts = 0, Counter[str]()
        self._reported = time.monotonic()

    @classmethod
    def from_environment(cls) -> "Job":
        s3 = boto3.client("s3", config=Config(retries={"mode": "standard", "total_max_attempts": 8}))
        table = LabelImportsTable.from_environment()
        record = table.get(os.environ["LABEL_IMPORT_ID"])
        return cls(s3, os.environ["ARTIFACT_BUCKET"], table, LabelIntake.from_environment(), record)

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
            with path.open("w", newline="", encoding="utf-8") as stream:
                try:
                    self._take(_written(stream))
                except FileRefused as refused:
                    error = str(refused)
            key = self._store(path)
        status = JobStatus.FAILED if error else JobStatus.COMPLETED
        ended = {"rows": self._rows, "counts": dict(self._counts), "refused_file": key, "error": error}
        self._table.finish(record.import_id, status, **{name: value for name, value in ended.items() if value})
        logger.info("%s rows: %s%s", self._rows, dict(self._counts), f"; {error}" if error else "")
        return error is None

    def _take(self, refused: "csv.DictWriter[str]") -> None:
        rows = (self._read(file, number, row) for file, number, row in self._all_rows())
        while chunk := list(islice(rows, CHUNK)):
            for read, taken in zip(chunk, self._taken(chunk), strict=True):
                self._rows += 1
                self._counts[taken.status] += 1
                if taken.status == "refused":
                    kept = {name: read.row.get(name, "") for name in COLUMNS}
                    refused.writerow({**kept, "file": read.file, "row_in_file": read.number, "reason": taken.detail})
            if time.monotonic() - self._reported >= REPORT_SECONDS:
                self._table.progressed(self._record.import_id, self._rows, self._counts)
                self._reported = time.monotonic()

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


def _written(stream: TextIO) -> "csv.DictWriter[str]":
    """Return the writer of refused labels: the columns of an import, so that the file can be mended and sent again."""
    writer = csv.DictWriter(stream, [*COLUMNS, "file", "row_in_file", "reason"])
    writer.writeheader()
    return writer


def _typed(row: Row) -> Row:
    """Return a row with the row's number as such: in CSV it is text."""
    number = row.get("row")
    return {**row, "row": int(number)} if isinstance(number, str) and number.isdecimal() else row
