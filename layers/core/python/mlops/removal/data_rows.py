"""Delete the rows of a data set: its files in the bucket, and what its runs have kept of them.

The files of models stay, because predict needs them, and their hashes bind them. A run's tag says that its rows are
gone before they are, so that whoever misses them knows why. All of it can be repeated.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mlops.aws.bin import Bin
from mlops.aws.bucket_folders import BucketFolders
from mlops.aws.dataset_records import DatasetRecords
from mlops.domain.addresses import bucket_of, key_of
from mlops.domain.artifacts import run_folder
from mlops.domain.batch_prediction import INPUT_FOLDER
from mlops.domain.dataset_deletion import TAG, DatasetDeletion
from mlops.registry.removals import Removals
from mlops_contract.file_names import PROOF_FILE

OF_RUNS = (PROOF_FILE, "profile.json")
"""The artifacts that have rows, or single values of them."""
CHECKPOINTS = ("checkpoints/", "code-checkpoints/")
JOB_TAG = "mlops.job_id"
Run = dict[str, Any]
"""A run as MLflow has it: `info`, `data`, `inputs`."""


@dataclass(frozen=True)
class DataRows:
    """Finds and deletes the rows of data sets."""

    tracking: Removals
    records: DatasetRecords
    folders: BucketFolders

    @classmethod
    def from_environment(cls) -> "DataRows":
        records = Bin.from_environment().history.governance.datasets
        return cls(Removals.from_environment(), records, BucketFolders.from_environment())

    def runs(self, digest: str) -> list[Run]:
        """Return the runs that have read the data set, or a file of it with other options."""
        found = {run["info"]["run_id"]: run for run in self.tracking.runs_of_data("digest", digest)}
        for address in addresses_of(found.values(), digest):
            found |= {run["info"]["run_id"]: run for run in self.tracking.runs_of_data("name", address)}
        return [found[run_id] for run_id in sorted(found)]

    def delete(self, deletion: DatasetDeletion, until: float | None = None) -> bool:
        """Delete what is there. Can be repeated.

        Args:
            deletion: What was recorded before.
            until: When to stop, by `time.monotonic()`.

        Returns:
            Whether all is gone.

        Raises:
            DependencyUnavailable: A service does not answer.
        """
        for address in deletion.addresses:
            self._delete_file(address)
        for run in self.runs(deletion.digest):
            if until is not None and time.monotonic() > until:
                return False
            self._delete_rows(run, deletion)
        self.records.completed(deletion)
        return True

    def look(self) -> list[str]:
        """Repeat the deletions of the last days; return their digests."""
        watched = self.records.watched()
        for deletion in watched:
            self.delete(deletion)
        return [deletion.digest for deletion in watched]

    def _delete_file(self, address: str) -> None:
        key = key_of(address)
        if bucket_of(address) == self.folders.bucket and key.startswith(INPUT_FOLDER) and key != INPUT_FOLDER:
            if key.endswith("/"):
                self.folders.remove([key])
            else:
                self.folders.remove_file(key)

    def _delete_rows(self, run: Run, deletion: DatasetDeletion) -> None:
        info, tags = run["info"], {tag["key"]: tag["value"] for tag in run.get("data", {}).get("tags", ())}
        if TAG not in tags and info["lifecycle_stage"] != "deleted":  # MLflow changes no deleted run
            self.tracking.set_run_tag(info["run_id"], TAG, deletion.said)
        folder = run_folder(info, self.folders.bucket)
        for name in OF_RUNS if folder is not None else ():
            self.folders.remove_file(f"{folder}{name}")
        if (job_id := tags.get(JOB_TAG)) is not None:
            self.folders.remove(f"{prefix}{job_id}/" for prefix in CHECKPOINTS)


def addresses_of(runs: Any, digest: str) -> list[str]:
    """Return the addresses of files from which runs have read the data set with this digest, in order."""
    found = (dataset for run in runs for dataset in _datasets(run))
    return sorted({name for name, of in found if of == digest and name.startswith("s3://")})


def _datasets(run: Run) -> Iterator[tuple[str, str]]:
    """Yield the names and digests of the data sets that a run has logged."""
    for each in run.get("inputs", {}).get("dataset_inputs", ()):
        yield str(each["dataset"]["name"]), str(each["dataset"]["digest"])
