"""Where the metrics come from: the tables, the queues' attributes and the serving manifests.

Each reading costs the same whatever the platform has done before: totals, not histories.
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
from boto3.dynamodb.conditions import Key

from mlops.aws.drift_records import DriftRecords
from mlops.aws.dynamodb import DynamoTable, Item, query_all
from mlops.aws.jobs_table import JobsTable
from mlops.aws.serving_bucket import ServedModels
from mlops.aws.stats_table import PredictionStats, Series
from mlops.domain.job import Job
from mlops.domain.manifest import ManifestError
from mlops.settings import Settings

logger = Logger(child=True)
JOB_SECONDS = 24 * 3600
MOST_JOBS = 5000
STAGES = ("Production", "Staging")


@dataclass(frozen=True)
class MetricsSettings(Settings):
    """`queues`: JSON, name → URL. A name that ends in `_dead_letters` is a dead-letter queue."""

    jobs_table: str
    transitions_table: str
    default_model_name: str
    queues: str


@dataclass(frozen=True)
class Reading:
    """What was found at one moment. Times are Unix seconds."""

    at: float
    totals: Mapping[Series, Mapping[str, int]]
    serving: Mapping[str, Mapping[str, int]]
    """Model name → stage → version; the default model is always there."""
    unreadable: Collection[tuple[str, str]] = ()
    """Model name and stage of manifests that cannot be read."""
    drift: list[Item] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    """Jobs made within JOB_SECONDS, and older ones that still wait or run."""
    open_transitions: list[Item] = field(default_factory=list)
    queues: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


class Sources:
    def __init__(
        self, settings: MetricsSettings, stats: PredictionStats, served: ServedModels, records: DriftRecords
    ) -> None:
        self._settings, self._stats, self._served, self._records = settings, stats, served, records
        tables = boto3.resource("dynamodb")
        self._jobs = JobsTable(DynamoTable(tables.Table(settings.jobs_table)))
        self._transitions = tables.Table(settings.transitions_table)
        self._sqs = boto3.client("sqs")

    @classmethod
    def from_environment(cls) -> "Sources":
        return _sources()

    def read(self) -> Reading:
        serving, unreadable = self._serving()
        return Reading(
            at=time.time(),
            totals=self._stats.totals(),
            serving=serving,
            unreadable=unreadable,
            drift=self._records.all(),
            jobs=self._recent_jobs(),
            open_transitions=self._open_transitions(),
            queues={name: self._depth(url) for name, url in json.loads(self._settings.queues).items()},
        )

    def _serving(self) -> tuple[dict[str, dict[str, int]], list[tuple[str, str]]]:
        """What serves, and where nobody can say what does."""
        names = {self._settings.default_model_name, *self._served.names()}
        serving: dict[str, dict[str, int]] = {name: {} for name in sorted(names)}
        unreadable = []
        for name, stages in serving.items():
            for stage in STAGES:
                try:
                    manifest = self._served.find(name, stage)
                except ManifestError as error:
                    logger.warning("manifest unreadable", model=name, stage=stage, reason=str(error))
                    unreadable.append((name, stage))
                else:
                    if manifest is not None:
                        stages[stage] = manifest.model_version
        return serving, unreadable

    def _recent_jobs(self) -> list[Job]:
        """Newest first, until they are too old to matter; then those still open of before."""
        since = time.time() - JOB_SECONDS
        recent = itertools.takewhile(lambda job: seconds(job.created_at) >= since, self._jobs.newest(Job))
        jobs = [*itertools.islice(recent, MOST_JOBS), *self._jobs.active_jobs()]
        return list({job.job_id: job for job in jobs}.values())

    def _open_transitions(self) -> list[Item]:
        return list(query_all(self._transitions, IndexName="by_open", KeyConditionExpression=Key("open").eq("1")))

    def _depth(self, url: str) -> dict[str, int]:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        depth = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return {"visible": int(depth[names[0]]), "in_flight": int(depth[names[1]])}


def longest_wait(created_at: Iterable[str], at: float) -> float:
    """Seconds since the earliest of the times; 0 if there is none."""
    return max((at - seconds(time) for time in created_at), default=0.0)


def seconds(iso: str) -> float:
    """Unix time of an ISO 8601 time."""
    return datetime.fromisoformat(iso.replace("Z", "+00:00")).timestamp()


@cache
def _sources() -> Sources:
    return Sources(
        MetricsSettings.from_environment(),
        PredictionStats.from_environment(),
        ServedModels.from_environment(),
        DriftRecords.from_environment(),
    )
