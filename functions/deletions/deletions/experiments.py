"""Put experiments and runs into the bin, and restore them. MLflow deletes and restores them itself.

A run that has made a version stays as long as the version is not in the bin.
"""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from mlops.aws.bin import Bin
from mlops.domain.access import Caller
from mlops.domain.bin import BinEntry, BinKind, identity_of, in_bin
from mlops.domain.errors import InUse, NotFound
from mlops.registry.removals import DELETED_STAGE, Removals
from mlops.removal.deletions import Deletions, Wish, not_in_bin
from mlops.removal.mirror import Mirror

UNDER_WAY = ("RUNNING", "SCHEDULED")
"""MLflow's words for a run that has not ended."""
Experiment = dict[str, Any]
"""An experiment as MLflow has it: `experiment_id`, `name`."""


class ExperimentDeletions:
    """Deletes and restores experiments and runs."""

    def __init__(self, tracking: Removals, bin_: Bin, deletions: Deletions) -> None:
        self._tracking, self._bin, self._deletions = tracking, bin_, deletions
        self._mirror = Mirror(tracking, bin_.records)

    @classmethod
    def from_environment(cls) -> "ExperimentDeletions":
        return cls(Removals.from_environment(), Bin.from_environment(), Deletions.from_environment())

    def experiment(self, name_or_id: str) -> Experiment:
        """Return an experiment, deleted or not. Raises NotFound."""
        return self._tracking.experiment(name_or_id)

    def delete(self, experiment: Experiment, wish: Wish) -> BinEntry:
        """Put an experiment into the bin, with all its runs. One that is there already is returned as it is.

        Raises:
            NotFound: It was deleted in MLflow.
            Conflict: Somebody else deletes it just now.
            InUse: A run of it still runs, or has made a version that is not in the bin.
            DependencyUnavailable: A service does not answer.
        """
        number, name = str(experiment["experiment_id"]), str(experiment["name"])
        entry = BinEntry(
            BinKind.EXPERIMENT, name, wish.reason, wish.actor, wish.owner, experiment_id=number, force=wish.force
        )
        if (present := self._bin.records.find(entry.identity)) is not None:
            return self._deletions.hidden_again(present)
        if experiment["lifecycle_stage"] == DELETED_STAGE:
            raise _deleted_by_hand(str(entry))
        return self._deletions.claimed(entry, lambda: self._check(entry, list(self._tracking.runs(number)), wish))

    def delete_run(self, experiment: Experiment, run_id: str, wish: Wish) -> BinEntry:
        """Put a run into the bin. The errors are those of `delete`; NotFound also if the experiment has no such run."""
        number = str(experiment["experiment_id"])
        info = self._run(number, run_id)
        entry = BinEntry(
            BinKind.RUN,
            str(experiment["name"]),
            wish.reason,
            wish.actor,
            wish.owner,
            experiment_id=number,
            run_id=run_id,
            force=wish.force,
        )
        for identity in (entry.identity, identity_of(BinKind.EXPERIMENT, entry.name, experiment_id=number)):
            if (present := self._bin.records.find(identity)) is not None:
                if present.kind is BinKind.EXPERIMENT:
                    raise in_bin(present)
                return self._deletions.hidden_again(present)
        if info["lifecycle_stage"] == DELETED_STAGE:
            raise _deleted_by_hand(str(entry))
        return self._deletions.claimed(entry, lambda: self._check(entry, [info], wish))

    def restore(self, experiment: Experiment, caller: Caller, reason: str | None) -> BinEntry:
        """Take an experiment out of the bin. Runs that were deleted by themselves stay there.

        Raises:
            NotFound: It is not in the bin.
            Conflict: It is too late.
            DependencyUnavailable: A service does not answer.
        """
        number = str(experiment["experiment_id"])
        entry = self._bin.records.find(identity_of(BinKind.EXPERIMENT, "", experiment_id=number))
        if entry is None:
            raise not_in_bin(f"The experiment {experiment['name']!r}")
        runs = [each for each in self._bin.records.all() if each.run_id is not None and each.experiment_id == number]
        for run in runs:  # MLflow restores all runs of an experiment, so they have to be deleted again
            self._bin.records.note_mirrored(run, False)
        restored = self._deletions.restore(entry, caller, reason)
        for run in runs:
            self._mirror.hide(replace(run, mirrored=False))
        return restored

    def restore_run(self, experiment: Experiment, run_id: str, caller: Caller, reason: str | None) -> BinEntry:
        """Take a run out of the bin. The errors are those of `restore`."""
        entry = self._bin.records.find(identity_of(BinKind.RUN, "", run_id=run_id))
        if entry is None or entry.experiment_id != str(experiment["experiment_id"]):
            raise not_in_bin(f"The run {run_id!r}")
        return self._deletions.restore(entry, caller, reason)

    def _check(self, entry: BinEntry, runs: Collection[dict[str, Any]], wish: Wish) -> None:
        """Check that nothing needs the runs. Raises InUse, DependencyUnavailable."""
        ids = {str(info["run_id"]) for info in runs}
        under_way = [info for info in runs if info["status"] in UNDER_WAY and info["lifecycle_stage"] != DELETED_STAGE]
        if under_way and not wish.force:
            raise InUse(
                f"{entry} cannot be deleted: the run {under_way[0]['run_id']!r} has not ended. Cancel its job, or, if "
                "it has none any more, delete it with force",
                [{"run_id": info["run_id"], "reasons": ["has not ended"]} for info in under_way],
            )
        kept = [
            version
            for version in (self._tracking.versions_of_run(min(ids)) if len(ids) == 1 else self._tracking.versions())
            if version.run_id in ids
            and self._bin.records.version(version.model_name, version.version, version.created_at) is None
        ]
        if kept:
            first = kept[0]
            others = f" (and {len(kept) - 1} more)" if len(kept) > 1 else ""
            raise InUse(
                f"{entry} cannot be deleted: version {first.version} of {first.model_name!r} was made by it{others}. "
                f"Delete what was made first: DELETE /models/{first.model_name}/versions/{first.version}",
                [
                    {"model_name": each.model_name, "version": each.version, "reasons": ["was made by it"]}
                    for each in kept
                ],
            )

    def _run(self, experiment_id: str, run_id: str) -> dict[str, Any]:
        try:
            info = self._tracking.run_info(run_id)
        except NotFound:
            info = None
        if info is None or str(info["experiment_id"]) != experiment_id:
            raise NotFound(f"The experiment has no run {run_id}")
        return info


def _deleted_by_hand(what: str) -> NotFound:
    return NotFound(f"{what} was deleted in MLflow; restore it there")
