"""The rows of the database, which only a job within its network can read: the job copies them to or from the bucket."""

from __future__ import annotations

import io
import json
import tarfile
import time
import uuid
from pathlib import Path
from typing import Any, Literal

from mlops_client.errors import MlopsError
from mlops_client.operator import aws
from mlops_client.operator.backups.addresses import Rewriting
from mlops_client.operator.backups.files import DATABASE, write_whole
from mlops_client.operator.backups.stack import StackResources

POLL_SECONDS = 1.0
ROWS = ".copy"
"""What the names of the files end with that have rows."""
_BLOCK = 1 << 20


class DatabaseCopies:
    """Copies the rows of the database of a stack by jobs."""

    def __init__(self, stack: StackResources) -> None:
        session = aws.session()
        self._stack = stack
        self._batch: Any = session.client("batch")
        self._s3: Any = session.client("s3")

    def dump(self, folder: Path) -> tuple[str, dict[str, int]]:
        """Write the rows of all tables, of one moment, to a file of the folder.

        Returns:
            The schema, and how many rows each table has.

        Raises:
            MlopsError: The job failed.
        """
        key = _new_key()
        result = self._run("dump", key)
        body = self._s3.get_object(Bucket=self._stack.bucket, Key=key)["Body"]
        write_whole(folder / DATABASE, body.iter_chunks(_BLOCK))
        self._s3.delete_object(Bucket=self._stack.bucket, Key=key)
        return result["schema"], result["rows"]

    def schema_of_empty(self) -> str:
        """Return the schema of a database without runs and models. Raises MlopsError: it has some."""
        return str(self._run("check", _new_key())["schema"])

    def load(self, folder: Path, rewriting: Rewriting, scratch: Path) -> dict[str, int]:
        """Replace all rows by those of a backup, in one transaction, and return how many each table has.

        Args:
            folder: The backup.
            rewriting: Names the bucket anew.
            scratch: A folder for the file with the new names.

        Raises:
            MlopsError: The job failed; then the database is as before.
        """
        renamed, key = scratch / DATABASE, _new_key()
        _rewrite(folder / DATABASE, renamed, rewriting)
        self._s3.upload_file(str(renamed), self._stack.bucket, key)
        rows: dict[str, int] = self._run("load", key)["rows"]
        self._s3.delete_object(Bucket=self._stack.bucket, Key=key)
        return rows

    def _run(self, step: Literal["dump", "check", "load"], key: str) -> dict[str, Any]:
        """Run a job to its end, and return what it says."""
        job_id = self._batch.submit_job(
            jobName=f"backup-{step}",
            jobQueue=self._stack.job_queue,
            jobDefinition=self._stack["BackupJobDefinition"],
            containerOverrides={
                "environment": [{"name": "COPY_STEP", "value": step}, {"name": "COPY_KEY", "value": key}]
            },
        )["jobId"]
        try:
            job = self._ended(job_id)
        except BaseException:
            self._batch.terminate_job(jobId=job_id, reason=f"whoever asked for the {step} has ended")
            raise
        place = f"{key}.result.json"
        found = self._s3.list_objects_v2(Bucket=self._stack.bucket, Prefix=place).get("KeyCount", 0)
        result: dict[str, Any] = {}
        if found:
            result = json.loads(self._s3.get_object(Bucket=self._stack.bucket, Key=place)["Body"].read())
            self._s3.delete_object(Bucket=self._stack.bucket, Key=place)
        if job["status"] != "SUCCEEDED" or "rows" not in result:
            reason = result.get("error") or _reason(job)
            raise MlopsError(f"the database: {reason}" if "error" in result else f"the job {job_id} failed: {reason}")
        return result

    def _ended(self, job_id: str) -> dict[str, Any]:
        while True:
            # The list can be empty right after the job was submitted.
            for job in self._batch.describe_jobs(jobs=[job_id])["jobs"]:
                if job["status"] in ("SUCCEEDED", "FAILED"):
                    return dict(job)
            time.sleep(POLL_SECONDS)


def _reason(job: dict[str, Any]) -> str:
    container = job.get("container", {})
    said = [job.get("statusReason"), container.get("reason")]
    if stream := container.get("logStreamName"):
        said.append(f"log stream {stream}")
    return "; ".join(text for text in said if text) or "Batch gives no reason"


def _new_key() -> str:
    return f"backups/{uuid.uuid4().hex}/{DATABASE}"


def _rewrite(source: Path, target: Path, rewriting: Rewriting) -> None:
    """Copy the file with the rows, with the new names in them. A row is a line, and has no name twice."""
    with tarfile.open(source) as old, tarfile.open(target, "w") as new:
        for member in old:
            content = old.extractfile(member)
            if content is None:
                continue
            if not member.name.endswith(ROWS):
                new.addfile(member, content)
                continue
            renamed = target.with_suffix(ROWS)
            with renamed.open("wb") as file:
                for line in io.BufferedReader(content):  # type: ignore[type-var]
                    file.write(rewriting.line(line))
            member.size = renamed.stat().st_size
            with renamed.open("rb") as file:
                new.addfile(member, file)
            renamed.unlink()
