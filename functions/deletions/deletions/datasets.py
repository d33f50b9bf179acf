"""Delete a data set: its files, and the rows of it that runs have kept.

The record is written first, in one transaction with the history. From then on no job of the API begins to read the
files. Then everything is deleted, as far as there is time; the hourly look of `cleanup` does the rest.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mlops.aws.batch_predictions_table import BatchPredictionsTable
from mlops.aws.dataset_records import MAX_ADDRESSES, writes_of
from mlops.aws.governance_table import GovernanceTable, VersionConflict
from mlops.aws.jobs_table import JobsTable
from mlops.domain.bin import EXPERIMENTS_CHAIN
from mlops.domain.dataset_deletion import DIGEST_LENGTH, DatasetDeletion
from mlops.domain.errors import Conflict, InUse, NotFound
from mlops.domain.history import DELETION
from mlops.registry.removals import Removals
from mlops.registry.rest import Version
from mlops.removal.data_rows import DataRows, Run, addresses_of
from mlops.removal.deletions import Wish

SECONDS = 18.0
"""Of the 29 that API Gateway waits."""


@dataclass(frozen=True)
class DataUse:
    """Who has read a data set: its digest, as MLflow has it, the runs, and how MLflow knows them."""

    digest: str
    runs: list[Run]
    tracking: Removals

    @cached_property
    def experiments(self) -> list[str]:
        """The names of the experiments."""
        numbers = sorted({str(run["info"]["experiment_id"]) for run in self.runs})
        return [str(self.tracking.experiment_by_id(number)["name"]) for number in numbers]

    @cached_property
    def versions(self) -> list[Version]:
        """The versions that the runs have made."""
        ids = {str(run["info"]["run_id"]) for run in self.runs}
        return [version for version in self.tracking.versions() if version.run_id in ids]


@dataclass(frozen=True)
class DatasetDeletions:
    """Deletes data sets."""

    tracking: Removals
    governance: GovernanceTable
    rows: DataRows
    jobs: JobsTable
    batches: BatchPredictionsTable

    @classmethod
    def from_environment(cls) -> "DatasetDeletions":
        return cls(
            Removals.from_environment(),
            GovernanceTable.from_environment(),
            DataRows.from_environment(),
            JobsTable.from_environment(),
            BatchPredictionsTable.from_environment(),
        )

    def use(self, digest: str) -> DataUse:
        """Return who has read a data set. Raises NotFound, DependencyUnavailable."""
        short = digest[:DIGEST_LENGTH]
        runs = self.rows.runs(short)
        if not runs:
            raise NotFound(f"No run has logged a data set with the digest {digest!r}; GET /datasets lists them")
        return DataUse(short, runs, self.tracking)

    def delete(self, use: DataUse, wish: Wish) -> DatasetDeletion:
        """Delete a data set. One that was deleted before is looked at again.

        Raises:
            InUse: A job reads it.
            Conflict: It has no file that could be deleted, or too many; or somebody else deletes it just now.
            DependencyUnavailable: A service does not answer.
        """
        until = time.monotonic() + SECONDS
        deletion = self.governance.datasets.find(use.digest) or self._recorded(use, wish)
        self.rows.delete(deletion, until)
        return self.governance.datasets.find(use.digest) or deletion

    def _recorded(self, use: DataUse, wish: Wish) -> DatasetDeletion:
        addresses = addresses_of(use.runs, use.digest)
        if not addresses:
            raise Conflict("The data set comes with the platform, or is from elsewhere: there is no file to delete")
        if len(addresses) > MAX_ADDRESSES:
            raise Conflict(f"The data set was read from {len(addresses)} files; at most {MAX_ADDRESSES} can be deleted")
        kept = [*self._readers(use, addresses)]
        if kept:
            raise InUse(f"The data set cannot be deleted: {kept[0]['reasons'][0]}", kept)
        deletion = DatasetDeletion(use.digest, tuple(addresses), wish.reason, wish.actor, wish.owner)
        models = sorted({f"{version.model_name}@{version.version}" for version in use.versions})
        detail = {
            "digest": use.digest,
            "addresses": addresses,
            "runs": len(use.runs),
            "versions": models[:100],
            "actor": wish.actor,
            "owner": wish.owner,
            "reason": wish.reason,
        }
        try:
            self.governance.append(EXPERIMENTS_CHAIN, DELETION, deletion.deletion_id, detail, dict, writes_of(deletion))
        except VersionConflict as conflict:
            raise Conflict("The data set is deleted by somebody else just now; look at it again") from conflict
        return deletion

    def _readers(self, use: DataUse, addresses: list[str]) -> Iterator[dict[str, Any]]:
        """Yield the jobs that read the data set, each with its reasons."""
        runs = {str(run["info"]["run_id"]) for run in use.runs}
        for record in self.jobs.under_way():
            if record.request.get("dataset") in addresses or getattr(record, "run_id", None) in runs:
                remedy = f"{record.job_id} is {record.status} and reads it: cancel it, or wait for its end"
                yield {"job_id": record.job_id, "reasons": [remedy]}
        for batch in self.batches.under_way():
            source = str(batch.request["input"])
            if any(each == source or (source.endswith("/") and each.startswith(source)) for each in addresses):
                remedy = f"{batch.batch_id} is {batch.status} and reads it: cancel it, or wait for its end"
                yield {"batch_id": batch.batch_id, "reasons": [remedy]}
