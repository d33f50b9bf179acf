"""Read what the metrics describe: tables, the queues' attributes, and the serving manifests.

A reading uses totals, so its cost does not grow with the history. Manifests are read in parallel, and only those that
have changed are transferred.
"""

import itertools
import json
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

import boto3
from aws_lambda_powertools import Logger

from mlops.aws.drift_records import DriftRecords
from mlops.aws.feedback_table import FeedbackTable
from mlops.aws.jobs_table import JobsTable
from mlops.aws.performance_records import PerformanceRecords
from mlops.aws.rollouts_table import RolloutsTable
from mlops.aws.serving_bucket import ServedModels
from mlops.aws.stats_table import PredictionStats, Series
from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.drift.record import DriftRecord
from mlops.domain.feedback.record import PerformanceRecord
from mlops.domain.job import Job
from mlops.domain.rollout.rollout import Rollout
from mlops.domain.stages import ALIASES, Stage
from mlops.domain.transition import Transition
from mlops.settings import Settings

logger = Logger(child=True)
JOB_SECONDS = 24 * 3600
MOST_JOBS = 5000


@dataclass(frozen=True)
class MetricsSettings(Settings):
    """Settings of the sources. `queues` is a JSON object of URLs by name; dead-letter queues end in `_dead_letters`."""

    default_model_name: str
    queues: str


@dataclass(frozen=True)
class QueueDepth:
    """The messages of a queue that wait, and those that a consumer has received and not deleted yet."""

    visible: int
    in_flight: int


@dataclass(frozen=True)
class Reading:
    """The state of the platform at one moment. Times are Unix seconds.

    Attributes:
        serving: Model name → stage → version. The default model is always there.
        unreadable: Model name and stage of the manifests that cannot be read.
        refused: Model name and stage of what serves, and the gate would no longer admit.
        drift: The last check of each model.
        labels: The totals of labels by model and version.
        performance: The last check of each model's labels.
        jobs: Jobs created within JOB_SECONDS, and older ones that have not ended.
        open_transitions: Transitions that are queued, or have ended and are not announced yet.
        rollouts: Those that have not ended.
    """

    at: float
    totals: Mapping[Series, Mapping[str, int]]
    serving: Mapping[str, Mapping[Stage, int]]
    unreadable: Collection[tuple[str, Stage]] = ()
    refused: Collection[tuple[str, Stage]] = ()
    drift: Collection[DriftRecord] = ()
    labels: Mapping[tuple[str, int], Mapping[str, int]] = field(default_factory=dict)
    performance: Collection[PerformanceRecord] = ()
    jobs: Collection[Job] = ()
    open_transitions: Collection[Transition] = ()
    rollouts: Collection[Rollout] = ()
    queues: Mapping[str, QueueDepth] = field(default_factory=dict)


class Sources:
    def __init__(
        self,
        settings: MetricsSettings,
        stats: PredictionStats,
        served: ServedModels,
        records: DriftRecords,
        jobs: JobsTable,
        transitions: TransitionsTable,
        feedback: FeedbackTable,
        performance: PerformanceRecords,
        rollouts: RolloutsTable,
    ) -> None:
        self._settings, self._stats, self._served, self._records = settings, stats, served, records
        self._jobs, self._transitions = jobs, transitions
        self._feedback, self._performance, self._rollouts = feedback, performance, rollouts
        self._sqs = boto3.client("sqs")

    @classmethod
    def from_environment(cls) -> "Sources":
        return _sources()

    def read(self) -> Reading:
        serving, unreadable, refused = self._serving()
        return Reading(
            at=time.time(),
            totals=self._stats.totals(),
            serving=serving,
            unreadable=unreadable,
            refused=refused,
            drift=self._records.all(),
            labels=self._feedback.totals.lifetime(),
            performance=list(self._performance.all().values()),
            jobs=self._recent_jobs(),
            open_transitions=[each for each in self._transitions.still_open() if not each.status.waits],
            rollouts=[rollout for rollout in self._rollouts.all_open() if not rollout.status.has_ended],
            queues={name: self._depth(url) for name, url in json.loads(self._settings.queues).items()},
        )

    def _serving(self) -> tuple[dict[str, dict[Stage, int]], list[tuple[str, Stage]], list[tuple[str, Stage]]]:
        """Return which version serves which stage, the stages whose manifest cannot be read, and those whose version
        the gate would no longer admit."""
        names = sorted({self._settings.default_model_name, *self._served.names()})
        serving: dict[str, dict[Stage, int]] = {name: {} for name in names}
        unreadable, refused = [], []
        for served in self._served.read_all(itertools.product(names, ALIASES)):
            if served.manifest is not None:
                serving[served.model_name][served.stage] = served.manifest.model_version
                if served.manifest.refusal is not None:
                    refused.append((served.model_name, served.stage))
            else:
                name, stage, reason = served.model_name, served.stage, str(served.error)
                logger.warning("manifest unreadable", model=name, stage=stage, reason=reason)
                unreadable.append((name, stage))
        return serving, unreadable, refused

    def _recent_jobs(self) -> list[Job]:
        """Return the jobs of the last JOB_SECONDS, the newest first, and the older ones that are still active."""
        since = time.time() - JOB_SECONDS
        recent = itertools.takewhile(lambda job: seconds(job.created_at) >= since, self._jobs.newest(Job))
        jobs = [*itertools.islice(recent, MOST_JOBS), *self._jobs.active_jobs()]
        return list({job.job_id: job for job in jobs}.values())

    def _depth(self, url: str) -> QueueDepth:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        depth = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return QueueDepth(*(int(depth[name]) for name in names))


def longest_wait(created_at: Iterable[str], at: float) -> float:
    """Return the seconds since the earliest of the times; 0 if there is none."""
    return max((at - seconds(time) for time in created_at), default=0.0)


def seconds(iso: str) -> float:
    """Return the Unix time of an ISO 8601 time."""
    return datetime.fromisoformat(iso).timestamp()


@cache
def _sources() -> Sources:
    return Sources(
        MetricsSettings.from_environment(),
        PredictionStats.from_environment(),
        ServedModels.from_environment(),
        DriftRecords.from_environment(),
        JobsTable.from_environment(),
        TransitionsTable.from_environment(),
        FeedbackTable.from_environment(),
        PerformanceRecords.from_environment(),
        RolloutsTable.from_environment(),
    )
