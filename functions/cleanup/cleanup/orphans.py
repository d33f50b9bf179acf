"""Folders of the bucket that nothing points to: marked once, looked at again after a week, then removed.

A week is more than any job takes from its first file to the record that points to it. All references are read again
before a folder is removed, and if one of them cannot be read, nothing is.
"""

import re
from collections.abc import Iterator
from datetime import timedelta

from cleanup.files import MODEL_ID
from mlops.aws.bucket_folders import BucketFolders
from mlops.aws.cleanup_records import CleanupRecords
from mlops.aws.conversions_table import ConversionsTable
from mlops.aws.jobs_table import JobsTable
from mlops.domain.artifacts import RUN_ID, logged_folder
from mlops.domain.cleanup import Cleanup
from mlops.domain.conversion import PREFIX as CONVERSIONS
from mlops.domain.timestamps import before
from mlops.registry.removals import DELETED_STAGE, Removals

WAIT = timedelta(days=7)
ARTIFACTS = "mlflow/"
CHECKPOINTS = ("checkpoints/", "code-checkpoints/")


class Orphans:
    """Marks and removes folders of artifacts, conversions and checkpoints."""

    def __init__(
        self,
        tracking: Removals,
        folders: BucketFolders,
        records: CleanupRecords,
        conversions: ConversionsTable,
        jobs: JobsTable,
    ) -> None:
        self._tracking, self._folders, self._records = tracking, folders, records
        self._conversions, self._jobs = conversions, jobs

    def look(self, cleanup: Cleanup) -> None:
        """Mark what nothing points to, and remove what was marked a week ago. Note it in the cleanup.

        Raises:
            DependencyUnavailable: A service does not answer. Then what it says of is left alone.
        """
        found, marked, due = set(self._found()), self._records.marks(), before(WAIT)
        for folder in sorted(marked.keys() - found):
            self._records.unmark(folder)
        for folder in sorted(found - marked.keys()):
            self._records.mark(folder)
            cleanup.marked.append(folder)
        for folder in sorted(found & {folder for folder, since in marked.items() if since <= due}):
            cleanup.freed_bytes += self._folders.remove([folder])
            self._records.unmark(folder)
            cleanup.removed.append(folder)

    def _found(self) -> Iterator[str]:
        yield from self._artifacts()
        yield from self._converted()
        yield from self._checkpoints()

    def _artifacts(self) -> Iterator[str]:
        """Yield the folders of runs and logged models that MLflow does not have.

        The folders are listed first: whoever writes one is in MLflow before. What MLflow has deleted can be restored
        there, so it is left alone; what was purged from the bin has no files any more.
        """
        listed = {folder: self._folders.within(folder) for folder in self._folders.within(ARTIFACTS)}
        models = {
            folder: self._folders.within(f"{folder}models/")
            for folder, names in listed.items()
            if f"{folder}models/" in names
        }
        experiments = {str(each["experiment_id"]): each for each in self._tracking.experiments()}
        versions = list(self._tracking.versions())
        registered = {version.source.removeprefix("models:/") for version in versions}
        held = [folder for each in versions if (folder := logged_folder(each.source, self._folders.bucket))]
        for folder, within in listed.items():
            number = _last(folder)
            experiment = experiments.get(number)
            if not number.isdecimal() or (experiment is not None and experiment["lifecycle_stage"] == DELETED_STAGE):
                continue
            runs, logged = set(), set(registered)
            if experiment is not None:
                runs = {str(run["run_id"]) for run in self._tracking.runs(number)}
                logged |= {str(model["model_id"]) for model in self._tracking.logged_models(number)}
            unknown = [each for each in within if re.fullmatch(RUN_ID, _last(each)) and _last(each) not in runs]
            unknown += [
                each
                for each in models.get(folder, ())
                if re.fullmatch(MODEL_ID, _last(each)) and _last(each) not in logged
            ]
            # A version can be registered with the address of any folder.
            yield from (
                each for each in unknown if not any(each.startswith(one) or one.startswith(each) for one in held)
            )

    def _converted(self) -> Iterator[str]:
        """Yield the folders of conversions that are not the last one of their version."""
        folders = [
            conversion
            for model in self._folders.within(CONVERSIONS)
            for version in self._folders.within(model)
            for conversion in self._folders.within(version)
        ]
        known = {conversion.folder for conversion in self._conversions.all()} if folders else set()
        yield from (folder for folder in folders if folder not in known)

    def _checkpoints(self) -> Iterator[str]:
        """Yield the checkpoints of jobs that have ended, or are not known."""
        for prefix in CHECKPOINTS:
            for folder in self._folders.within(prefix):
                job = self._jobs.find(_last(folder))
                if job is None or job.status.has_ended:
                    yield folder


def _last(folder: str) -> str:
    """Return the name of a folder without those that it is in."""
    return folder.rstrip("/").rpartition("/")[2]
