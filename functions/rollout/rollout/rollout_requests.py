"""Check requests for rollouts, record them, and change rollouts that are under way."""

from functools import cache

from mlops.api.schemas.rollouts import RolloutRequest
from mlops.aws.decisions import Decisions
from mlops.aws.governance_table import GovernanceTable
from mlops.aws.open_rollouts import OpenRollouts
from mlops.aws.rollouts_table import RolloutPage, RolloutsTable
from mlops.aws.serving_bucket import ServedModels
from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.access import Caller
from mlops.domain.bin import in_bin
from mlops.domain.errors import Conflict, NoModelInStage, NotFound, ValidationFailed
from mlops.domain.rollout.counts import Counts
from mlops.domain.rollout.rollout import SHOWN, Rollout, RolloutStatus, new_rollout_id
from mlops.domain.stages import Stage
from mlops.domain.timestamps import now
from mlops.domain.transition import Transition, new_transition_id
from rollout.conductor import Conductor

_OF_CLASSES = ("max_confidence_drop", "min_accuracy_delta")
"""Guardrails that need answers with labels."""


class RolloutRequests:
    def __init__(
        self,
        table: RolloutsTable,
        ends: OpenRollouts,
        served: ServedModels,
        governance: GovernanceTable,
        conductor: Conductor,
        transitions: TransitionsTable,
        decisions: Decisions,
    ) -> None:
        self._table, self._ends, self._served = table, ends, served
        self._governance, self._conductor = governance, conductor
        self._transitions, self._decisions = transitions, decisions

    @classmethod
    def from_environment(cls) -> "RolloutRequests":
        return _rollout_requests()

    def start(self, model_name: str, request: RolloutRequest, caller: Caller, request_id: str) -> Rollout:
        """Record a rollout, and tell predict of it; if somebody has to approve it, its last step is asked for first.

        Raises:
            NoModelInStage: No version is in Production.
            Conflict: The version is in the bin, not in Staging, or in Production, or the model has a rollout under
                way.
            ValidationFailed: The plan is not whole, or has a guardrail that models of quantities do not have.
            DependencyUnavailable: S3 does not answer, or a manifest cannot be read.
        """
        settings = self._governance.settings(model_name).settings
        binned = self._governance.bin.version(model_name, request.version)
        if binned is not None:
            raise in_bin(binned)
        plan = request.plan(settings.rollout)
        champion = self._served.manifest(model_name, Stage.PRODUCTION)
        if champion.model_version == request.version:
            raise Conflict(f"Version {request.version} of {model_name!r} is in Production already")
        for name in _OF_CLASSES if champion.predicts_quantity else ():
            if getattr(plan.guardrails, name) is not None:
                raise ValidationFailed.of_field(
                    f"guardrails.{name}",
                    f"is for models of classes, and {model_name!r} predicts a quantity; leave it out",
                )
        challenger = self._staged(model_name, request.version)
        waits = settings.approvals_for(Stage.PRODUCTION, force=False) > 0
        rollout = Rollout(
            rollout_id=new_rollout_id(),
            model_name=model_name,
            version=request.version,
            sha256=challenger,
            champion=champion.model_version,
            plan=plan,
            actor=caller.name,
            actor_owner=caller.owner,
            actor_key=caller.key_id,
            reason=request.reason,
            request_id=request_id,
            status=RolloutStatus.AWAITING_APPROVAL if waits else RolloutStatus.STARTING,
            transition_id=new_transition_id() if waits else None,
        )
        if not self._table.create(rollout):
            present = self._table.open_of(model_name)
            name = f"{present.rollout_id!r} of version {present.version}" if present else "another one"
            remedy = "complete it" if present and present.status is RolloutStatus.BAKING else "abort it"
            raise Conflict(f"The model {model_name!r} has a rollout under way, {name}; {remedy}, or wait for its end")
        return self._conductor.begin(rollout)

    def get(self, model_name: str, rollout_id: str) -> Rollout:
        """Return a rollout. Raises NotFound."""
        return self._table.get(model_name, rollout_id)

    def approval(self, rollout: Rollout) -> Transition | None:
        """Return the transition of a rollout that somebody has to approve, or has approved; None if there is none."""
        if rollout.moved_by is None:
            return None
        try:
            transition = self._transitions.get(rollout.model_name, rollout.moved_by)
        except NotFound:  # it is requested within a minute
            return None
        return transition if transition.approvals_needed else None

    def decide(self, model_name: str, rollout_id: str, caller: Caller, *, approved: bool, comment: str | None) -> None:
        """Approve or reject the transition of a rollout that waits for it.

        Raises:
            NotFound: There is no such rollout.
            Forbidden: The caller's role or models do not allow it, or the caller has asked for the rollout.
            Conflict: Nothing of it waits for an approval, or others have decided just now.
            DependencyUnavailable: The table does not answer.
        """
        rollout = self._table.get(model_name, rollout_id)
        transition = None if rollout.status.has_ended else self.approval(rollout)
        if transition is None:
            raise Conflict(
                f"The rollout {rollout_id!r} is {rollout.status}, and nothing of it waits for an approval; if it has "
                "just been requested, the gates come first: look at it again"
            )
        self._decisions.decide(transition, caller, approved=approved, comment=comment)

    def counts(self, rollout: Rollout) -> list[Counts]:
        """Return what the requests of each phase so far have shown."""
        return self._conductor.counts(rollout)

    def page(self, model_name: str, limit: int, cursor: str | None) -> RolloutPage:
        """Return rollouts of a model, the newest first."""
        return self._table.page(model_name, limit, cursor)

    def pause(self, model_name: str, rollout_id: str) -> Rollout:
        """Let a rollout keep its phase. Raises NotFound, or Conflict: it does not run."""
        rollout = self._under_way(model_name, rollout_id, RolloutStatus.RUNNING)
        changed = self._table.change(rollout, status=RolloutStatus.PAUSED, note="it is paused")
        return changed or self._changed(rollout)

    def resume(self, model_name: str, rollout_id: str) -> Rollout:
        """Let a rollout go on; the time of its phase begins anew. Raises NotFound, or Conflict: it is not paused."""
        rollout = self._under_way(model_name, rollout_id, RolloutStatus.PAUSED)
        changed = self._table.change(rollout, status=RolloutStatus.RUNNING, phase_began_at=now(), note="it goes on")
        return changed or self._changed(rollout)

    def abort(self, model_name: str, rollout_id: str, reason: str | None, actor: str) -> Rollout:
        """End a rollout: within predict's refresh interval only Production answers.

        Raises NotFound, or Conflict: it has ended, or its last step is under way.
        """
        rollout = self._under_way(model_name, rollout_id, *SHOWN)
        note = f"aborted by {actor}" + (f": {reason}" if reason else "")
        self._ends.end(rollout, RolloutStatus.ABORTED, note)
        return self._table.get(model_name, rollout_id)

    def complete(self, model_name: str, rollout_id: str) -> Rollout:
        """Skip what is left of a rollout: its version goes to Production by an ordinary transition, with its gates.

        If it is there, and only labels are waited for, the rollout ends. Raises NotFound, or Conflict: it does not run.
        """
        completes = (RolloutStatus.RUNNING, RolloutStatus.PAUSED, RolloutStatus.BAKING)
        rollout = self._under_way(model_name, rollout_id, *completes)
        if rollout.status is RolloutStatus.BAKING:
            self._ends.end(rollout, RolloutStatus.SUCCEEDED, "completed before the days of labels were over")
            return self._table.get(model_name, rollout_id)
        return self._conductor.promote(rollout) or self._changed(rollout)

    def _staged(self, model_name: str, version: int) -> str:
        """Return the hash of the file with which a version is in Staging."""
        remedy = (
            f"move it there first: POST /models/transition with "
            f'{{"model_name": "{model_name}", "version": {version}, "stage": "Staging"}}. The gates check it then'
        )
        try:
            manifest = self._served.manifest(model_name, Stage.STAGING)
        except NoModelInStage as error:
            raise Conflict(f"Version {version} of {model_name!r} is not in Staging; {remedy}") from error
        if manifest.model_version != version:
            raise Conflict(
                f"Version {version} of {model_name!r} is not in Staging, where version {manifest.model_version} is; "
                f"{remedy}"
            )
        return manifest.sha256

    def _under_way(self, model_name: str, rollout_id: str, *statuses: RolloutStatus) -> Rollout:
        rollout = self._table.get(model_name, rollout_id)
        if rollout.status not in statuses:
            wanted = " or ".join(statuses)
            raise Conflict(f"The rollout {rollout_id!r} is {rollout.status}, and this needs one that is {wanted}")
        return rollout

    def _changed(self, rollout: Rollout) -> Rollout:
        """Raise the error of a rollout that has changed since it was read."""
        raise Conflict(f"The rollout {rollout.rollout_id!r} has just changed; look at it, and try again")


@cache
def _rollout_requests() -> RolloutRequests:
    return RolloutRequests(
        RolloutsTable.from_environment(),
        OpenRollouts.from_environment(),
        ServedModels.from_environment(),
        GovernanceTable.from_environment(),
        Conductor.from_environment(),
        TransitionsTable.from_environment(),
        Decisions.from_environment(),
    )
