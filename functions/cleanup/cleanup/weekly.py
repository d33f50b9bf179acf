"""The weekly cleanup: retention, then what is due in the bin, then what nothing points to. It reports what it did.

Each part can be done again, and by several at once. So a cleanup that dies is completed by the next one.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from aws_lambda_powertools import Logger

from cleanup.orphans import Orphans
from cleanup.purging import Needed, Purging
from cleanup.retention import Retention
from mlops.aws.bin import Bin
from mlops.aws.bucket_folders import BucketFolders
from mlops.aws.cleanup_records import CleanupRecords
from mlops.aws.embedded_metrics import embedded
from mlops.aws.eventbridge import Events
from mlops.aws.jobs_table import JobsTable
from mlops.domain.cleanup import Cleanup
from mlops.registry.removals import Removals
from mlops.removal.deletions import Deletions
from mlops.removal.keepers import Keepers
from mlops.removal.mirror import Mirror

logger = Logger(child=True)


class Weekly:
    """Does a cleanup."""

    def __init__(
        self,
        retention: Retention,
        purging: Purging,
        orphans: Orphans,
        mirror: Mirror,
        bin_: Bin,
        records: CleanupRecords,
        events: Events,
    ) -> None:
        self._retention, self._purging, self._orphans, self._mirror = retention, purging, orphans, mirror
        self._bin, self._records, self._events = bin_, records, events

    @classmethod
    def from_environment(cls) -> "Weekly":
        tracking, bin_, keepers = Removals.from_environment(), Bin.from_environment(), Keepers.from_environment()
        folders, records = BucketFolders.from_environment(), bin_.history.governance.cleanups
        deletions = Deletions(tracking, bin_, keepers)
        return cls(
            Retention(tracking, bin_.history, keepers, deletions),
            Purging(tracking, bin_, keepers, folders),
            Orphans(tracking, folders, records, keepers.conversions, JobsTable.from_environment()),
            Mirror(tracking, bin_.records),
            bin_,
            records,
            Events.from_environment(),
        )

    def run(self) -> Cleanup:
        """Clean up, record what was done, and announce it.

        Raises:
            RuntimeError: At the end, if a part has failed. Lambda then tries it again, and the event ends among the
                dead letters, which have an alarm.
        """
        cleanup = Cleanup()
        with self._isolated(cleanup, "retention"):
            for name in self._retention.models():
                with self._isolated(cleanup, f"retention of {name}"):
                    self._retention.apply(name, cleanup)
        with self._isolated(cleanup, "the bin"):
            self._mirror.look()
            self._mirror.show_strays(self._bin.records.all())
            for entry in self._purging.due():
                with self._isolated(cleanup, str(entry)):
                    try:
                        freed = self._purging.purge(entry)
                    except Needed as needed:
                        cleanup.kept.append(f"{entry}: {needed}")
                    else:
                        if freed is not None:
                            cleanup.purged.append(str(entry))
                            cleanup.freed_bytes += freed
        with self._isolated(cleanup, "folders that nothing points to"):
            self._orphans.look(cleanup)
        self._records.write(cleanup)
        self._events.cleanup_ended(cleanup)
        metrics = {
            "CleanupFreedBytes": (float(cleanup.freed_bytes), "Bytes"),
            "CleanupFailures": (float(len(cleanup.failed)), "Count"),
        }
        logger.info("cleanup", **cleanup.detail(), **embedded(metrics))
        if cleanup.failed:
            raise RuntimeError(f"parts of the cleanup failed; the log says why: {'; '.join(cleanup.failed)}")
        return cleanup

    @contextmanager
    def _isolated(self, cleanup: Cleanup, part: str) -> Iterator[None]:
        """Do a part. If it fails, the others are still done."""
        try:
            yield
        except Exception:
            logger.exception("part failed", part=part)
            cleanup.failed.append(part)
