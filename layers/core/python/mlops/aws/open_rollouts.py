"""End rollouts: predict first, then the record. So an end never waits for anything but S3."""

from typing import Any

from mlops.aws.rollout_files import RolloutFiles
from mlops.aws.rollouts_table import RolloutsTable
from mlops.domain.rollout.rollout import Rollout, RolloutStatus
from mlops.domain.stages import Stage
from mlops.domain.transition import Transition


class OpenRollouts:
    """The rollouts that have not ended, with the files that predict reads of them."""

    def __init__(self, table: RolloutsTable, files: RolloutFiles) -> None:
        self._table, self._files = table, files

    @classmethod
    def from_environment(cls) -> "OpenRollouts":
        return cls(RolloutsTable.from_environment(), RolloutFiles.from_environment())

    def end(self, rollout: Rollout, status: RolloutStatus, note: str, **changes: Any) -> bool:
        """End a rollout. Can be repeated; False if it has ended before.

        If the process dies in between, the file is gone, and the function rollout ends the record for that reason.
        """
        self.hide(rollout)
        return self._table.end(rollout, status, note=note, **changes)

    def hide(self, rollout: Rollout) -> None:
        """Let predict follow a rollout no longer. Idempotent."""
        self._files.remove(rollout.model_name, rollout.rollout_id)

    def of(self, transition: Transition) -> Rollout | None:
        """Return the rollout whose last step a transition is; None if it is none's."""
        if transition.rollout_id is None:
            return None
        return self._table.get(transition.model_name, transition.rollout_id)

    def give_way(self, transition: Transition) -> None:
        """End the rollout of the model that a transition moves, if the transition changes one of its two versions.

        The rollout's own transitions do not end it. Can be repeated.
        """
        rollout = self._table.open_of(transition.model_name)
        if rollout is None or transition.transition_id in (rollout.transition_id, rollout.rollback_id):
            return
        if transition.stage is Stage.PRODUCTION or transition.version in (rollout.champion, rollout.version):
            what = f"version {transition.version} goes to {transition.stage} by {transition.transition_id}"
            baking = rollout.status is RolloutStatus.BAKING
            status = RolloutStatus.SUCCEEDED if baking else RolloutStatus.ABORTED
            self.end(rollout, status, f"another transition ended it: {what}")
