"""Take a rollout one step on. Each step can be repeated, and whatever dies in between, the next minute goes on.

The record says how far a rollout is, and the file in S3 is written after it. At the end it is the other way round: the
file is removed first. So a record that runs without a file is one whose end was not recorded. The start is told to the
model's history and to EventBridge before predict knows of it, the end after the record has it: whoever ends a rollout,
its record stays in the index until that is done. A rollout that somebody has to approve is told to the history before
its transition is requested, and predict knows of it after the approval.
"""

import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from functools import cache

from aws_lambda_powertools import Logger

from mlops.aws.eventbridge import Events
from mlops.aws.feedback_table import FeedbackTable
from mlops.aws.label_totals import LabelTotals
from mlops.aws.model_history import ModelHistory
from mlops.aws.open_rollouts import OpenRollouts
from mlops.aws.promotion_queue import PromotionQueue
from mlops.aws.rollout_files import RolloutFiles, StoredRollout
from mlops.aws.rollouts_table import RolloutsTable
from mlops.aws.serving_bucket import ServedModels, UnreadableManifest
from mlops.aws.stats_table import PredictionStats
from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.history import ROLLOUT
from mlops.domain.manifest import Manifest
from mlops.domain.rollout.counts import Counts
from mlops.domain.rollout.live import VALID_SECONDS, LiveRollout
from mlops.domain.rollout.rollout import Figure, Rollout, RolloutStatus, described
from mlops.domain.rollout.verdict import Next, Verdict, judge
from mlops.domain.stages import Stage
from mlops.domain.timestamps import from_milliseconds
from mlops.domain.transition import Transition
from rollout.last_step import LastStep

NO_RATIO = 1.0
"""In the file of a rollout whose plan has no guardrail of latency: predict counts, and nobody looks at it."""

logger = Logger(child=True)


class Conductor:
    """Takes rollouts on. `now` is the Unix time."""

    def __init__(
        self,
        table: RolloutsTable,
        files: RolloutFiles,
        served: ServedModels,
        stats: PredictionStats,
        transitions: TransitionsTable,
        queue: PromotionQueue,
        history: ModelHistory,
        events: Events,
        labels: LabelTotals,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._table, self._files, self._served, self._stats = table, files, served, stats
        self._now = now
        self._history, self._events, self._labels = history, events, labels
        self._open = OpenRollouts(table, files)
        self._last = LastStep(table, self._open, transitions, queue, self._time)

    @classmethod
    def from_environment(cls) -> "Conductor":
        return _conductor()

    def run(self) -> dict[str, str]:
        """Take every open rollout on, tell of those that have ended, and return their statuses by id.

        Raises:
            RuntimeError: Some could not be taken on. The others were, and the log has the reasons.
        """
        statuses, failed = {}, []
        for rollout in self._table.all_open():
            try:
                statuses[rollout.rollout_id] = str(self.advance(rollout).status)
            except Exception:
                logger.exception("rollout not advanced", rollout_id=rollout.rollout_id, model=rollout.model_name)
                failed.append(rollout.rollout_id)
        if failed:
            raise RuntimeError(f"{', '.join(failed)} could not be taken on; the log has the reasons")
        return statuses

    def advance(self, rollout: Rollout) -> Rollout:
        """Take a rollout one step on, tell of its end if it has ended, and return its record."""
        if not rollout.status.has_ended:
            self._step(rollout)
            rollout = self._table.get(rollout.model_name, rollout.rollout_id)
        if rollout.status.has_ended:
            self._tell_end(rollout)
        return rollout

    def begin(self, rollout: Rollout) -> Rollout:
        """Start a rollout that is recorded, or have it approved first; return its record."""
        if rollout.status is not RolloutStatus.AWAITING_APPROVAL:
            return self.start(rollout)
        self._await_approval(rollout)
        return self._table.get(rollout.model_name, rollout.rollout_id)

    def start(self, rollout: Rollout) -> Rollout:
        """Tell predict of a rollout that is recorded, and return its record."""
        challenger = self._challenger(rollout)
        if challenger is None:
            note = (
                f"version {rollout.version} is not in Staging any more, or its manifest cannot be read; move it there "
                "again, and start another rollout"
            )
            self._open.end(rollout, RolloutStatus.ABORTED, note)
        else:
            self._tell_start(rollout)
            self._files.publish(challenger, self._live(rollout))
            started = self._table.change(rollout, status=RolloutStatus.RUNNING, phase_began_at=self._time())
            if started is None:  # it was ended meanwhile
                self._files.remove(rollout.model_name, rollout.rollout_id)
        return self._table.get(rollout.model_name, rollout.rollout_id)

    def _await_approval(self, rollout: Rollout) -> None:
        """Have the last step approved, and start the rollout then."""
        transition = self._last.of(rollout, rollout.transition_id)
        if transition is None:
            self._history.append(rollout.model_name, ROLLOUT, f"{rollout.rollout_id}#asked", described(rollout))
            self._last.request(rollout)
        elif not self._last.approved(rollout, transition):
            return
        elif self._is_void(transition):
            self._last.go_on(rollout)  # promotion finds that, and asks anew
        else:
            starting = self._table.change(rollout, status=RolloutStatus.STARTING, note="it is approved")
            if starting is not None:
                self.start(starting)

    def _is_void(self, transition: Transition) -> bool:
        """Return whether the settings have changed since promotion has looked at an approved transition."""
        stored, binding = self._history.settings(transition.model_name), transition.binding
        if not stored.settings.approvals_for(transition.stage, transition.force):
            return False
        return binding is None or binding.settings_version != stored.version

    def promote(self, rollout: Rollout) -> Rollout | None:
        """Begin the last step: the transition to Production. Return None if the rollout has changed meanwhile."""
        return self._last.begin(rollout)

    def counts(self, rollout: Rollout) -> list[Counts]:
        """Return what the requests of each phase so far have shown."""
        counted, labels = self._stats.rollout(rollout.rollout_id), self._labels.rollout(rollout.rollout_id)
        phases = range(rollout.phase + 1)
        return [Counts.from_record({**counted.get(phase, {}), **labels.get(phase, {})}) for phase in phases]

    def _tell_start(self, rollout: Rollout) -> None:
        detail = described(rollout)
        self._history.append(rollout.model_name, ROLLOUT, f"{rollout.rollout_id}#started", detail)
        self._events.rollout_started(rollout)

    def _tell_end(self, rollout: Rollout) -> None:
        if not self._last.has_let_go(rollout):
            return  # the end is told when nobody can approve it any more
        detail = {**described(rollout), "phases": [asdict(counts) for counts in self.counts(rollout)]}
        self._history.append(rollout.model_name, ROLLOUT, f"{rollout.rollout_id}#ended", detail)
        self._events.rollout_ended(rollout)
        self._table.told(rollout)

    def _time(self) -> str:
        return from_milliseconds(int(self._now() * 1000))

    def _step(self, rollout: Rollout) -> None:
        if rollout.status is RolloutStatus.PROMOTING:
            self._follow_transition(rollout)
        elif rollout.status is RolloutStatus.BAKING:
            self._bake(rollout)
        elif rollout.status is RolloutStatus.RETURNING:
            self._last.follow_return(rollout)
        elif (change := self._change_in_production(rollout, rollout.champion)) is not None:
            self._open.end(rollout, RolloutStatus.ABORTED, change)
        elif rollout.status is RolloutStatus.AWAITING_APPROVAL:
            self._await_approval(rollout)
        elif rollout.status is RolloutStatus.STARTING:
            self.start(rollout)
        else:
            self._look(rollout)

    def _look(self, rollout: Rollout) -> None:
        stored = self._files.read(rollout.model_name)
        verdict = self._verdict(rollout)
        figures = tuple(map(Figure.of, verdict.findings))
        if verdict.next is Next.ROLL_BACK:
            broken = verdict.broken.guardrail if verdict.broken else None
            self._open.end(rollout, RolloutStatus.ROLLED_BACK, verdict.reason, broken=broken, figures=figures)
        elif stored is None or stored.live is None or stored.live.id != rollout.rollout_id:
            note = "its file in S3 was removed or replaced, so predict does not follow it any more"
            self._open.end(rollout, RolloutStatus.ABORTED, note, figures=figures)
        elif rollout.status is RolloutStatus.PAUSED:
            self._wait(rollout, stored, figures, "it is paused")
        elif verdict.next is Next.GIVE_UP:
            self._open.end(rollout, RolloutStatus.ABORTED, verdict.reason, figures=figures)
        elif verdict.next is Next.PROMOTE:
            self.promote(rollout)
            self._renew(rollout, stored)
        elif verdict.next is Next.ADVANCE:
            after = self._table.change(
                rollout,
                phase=rollout.phase + 1,
                phase_began_at=self._time(),
                figures=figures,
                note="a new phase begins",
            )
            self._renew(after or rollout, stored)
        else:
            self._wait(rollout, stored, figures, verdict.reason)

    def _wait(self, rollout: Rollout, stored: StoredRollout, figures: tuple[Figure, ...], note: str) -> None:
        self._table.change(rollout, figures=figures, note=note)
        self._renew(rollout, stored)

    def _verdict(self, rollout: Rollout) -> Verdict:
        return judge(rollout.plan, self.counts(rollout), self._minutes(rollout))

    def _minutes(self, rollout: Rollout) -> float:
        """Return how long the phase lasts."""
        return (self._now() - datetime.fromisoformat(rollout.phase_began_at).timestamp()) / 60

    def _follow_transition(self, rollout: Rollout) -> None:
        # Read first: if another process ends the rollout meanwhile, what is renewed is not the next rollout's file.
        stored = self._files.read(rollout.model_name)
        if not self._last.follow(rollout) and stored is not None:
            self._renew(rollout, stored)

    def _bake(self, rollout: Rollout) -> None:
        change = self._change_in_production(rollout, rollout.version)
        self._last.bake(rollout, self.counts(rollout), change, self._minutes(rollout))

    def _renew(self, rollout: Rollout, stored: StoredRollout) -> None:
        """Move the time on until which predict follows the rollout. Nothing is written if it was ended meanwhile."""
        self._files.renew(rollout.model_name, self._live(rollout), stored.etag)

    def _live(self, rollout: Rollout) -> LiveRollout:
        plan = rollout.plan
        return LiveRollout(
            id=rollout.rollout_id,
            champion=rollout.champion,
            version=rollout.version,
            sha256=rollout.sha256,
            step=rollout.phase,
            weight=rollout.weight,
            share=plan.shadow_share,
            latency_ratio=plan.guardrails.max_latency_ratio or NO_RATIO,
            until=self._now() + VALID_SECONDS,
            confidence_drop=plan.guardrails.max_confidence_drop,
        )

    def _change_in_production(self, rollout: Rollout, expected: int) -> str | None:
        """Return what is in Production instead of the expected version; None if that one is."""
        try:
            manifest = self._served.find(rollout.model_name, Stage.PRODUCTION)
        except UnreadableManifest:  # promotion repairs it; until then predict answers with what it has loaded
            return None
        if manifest is None:
            return "no version is in Production any more"
        if manifest.model_version != expected:
            return f"version {manifest.model_version} is in Production now"
        return None

    def _challenger(self, rollout: Rollout) -> Manifest | None:
        try:
            manifest = self._served.find(rollout.model_name, Stage.STAGING)
        except UnreadableManifest:
            return None
        if manifest is None or (manifest.model_version, manifest.sha256) != (rollout.version, rollout.sha256):
            return None
        return manifest


@cache
def _conductor() -> Conductor:
    return Conductor(
        RolloutsTable.from_environment(),
        RolloutFiles.from_environment(),
        ServedModels.from_environment(),
        PredictionStats.from_environment(),
        TransitionsTable.from_environment(),
        PromotionQueue.from_environment(),
        ModelHistory.from_environment(),
        Events.from_environment(),
        FeedbackTable.from_environment().totals,
    )
