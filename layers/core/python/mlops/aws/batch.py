"""The part of AWS Batch that training needs: submit a run or a sweep, stop it, read its log."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from mlops.aws.batch_job import BatchJob, environment_of
from mlops.domain.errors import DependencyUnavailable, NotFound, ValidationFailed
from mlops.domain.pagination import unknown_cursor
from mlops.domain.resources import Resources, Size
from mlops.domain.sweep import Sweep
from mlops.domain.training_request import TrainRequest
from mlops.settings import Settings


@dataclass(frozen=True)
class BatchSettings(Settings):
    job_queue: str
    job_definition: str
    code_job_definition: str = ""
    """The definition of jobs that run people's own code; empty if the stack allows none."""
    gpu_job_queue: str = ""
    gpu_job_definition: str = ""
    """Of jobs with a GPU; empty if the stack has none."""
    job_log_group: str = "/aws/batch/job"
    max_job_seconds: int = 7200
    """The timeout in the job definition, for jobs that ask for no other."""


class SubmissionRefused(DependencyUnavailable):
    """AWS Batch has refused the job, so nothing runs. After any other failure the job may be running."""


MAX_OVERRIDES = 8000
"""ECS allows 8,192 characters of overrides for a task, of which resources and braces take some."""


MAX_MINUTES = 14 * 24 * 60
"""Fargate ends each task after fourteen days."""


@dataclass(frozen=True)
class LogLine:
    """A line that a job wrote. `at` is in milliseconds since 1970."""

    at: int
    message: str


@dataclass(frozen=True)
class LogLines:
    """Lines of a job's log, and the cursor of the following lines."""

    lines: list[LogLine]
    next_cursor: str | None


@dataclass(frozen=True)
class Demands:
    """What a job needs that its definition does not have already; None leaves the definition's value."""

    size: Size | None = None
    minutes: int | None = None
    gpu: bool = False

    @classmethod
    def of(cls, resources: Resources | None) -> "Demands":
        return cls(resources.size, resources.minutes, resources.gpu > 0) if resources else cls()

    def container(self) -> dict[str, Any]:
        """Return the part of SubmitJob's `containerOverrides`. Batch counts memory in MiB."""
        if self.size is None:
            return {}
        values = {"VCPU": f"{self.size.vcpu:g}", "MEMORY": f"{self.size.memory_gb * 1024:.0f}"}
        return {"resourceRequirements": [{"type": kind, "value": value} for kind, value in values.items()]}

    def job(self) -> dict[str, Any]:
        """Return the part of SubmitJob itself."""
        return {} if self.minutes is None else {"timeout": {"attemptDurationSeconds": 60 * self.minutes}}


def training_environment(request: TrainRequest) -> dict[str, str]:
    """Return the request as the trainer's variables TRAIN_SEED, TRAIN_HYPERPARAMETERS, …; objects are JSON.

    What is empty is left out, and so are the resources, which Batch gives.
    """
    return {
        f"TRAIN_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for name, value in request.document().items()
        if value not in (None, {}) and name != "resources"
    }


def check_length(environment: Mapping[str, str], remedy: str = "`columns`, `hyperparameters` or `space`") -> None:
    """Check that a job can be given these variables. Raises ValidationFailed if they are too long for Fargate."""
    length = len(json.dumps(_pairs(environment)))
    if length > MAX_OVERRIDES:
        raise ValidationFailed(
            f"The request is too long: as variables of the job it has {length} characters, and AWS allows "
            f"{MAX_OVERRIDES}. Shorten {remedy}"
        )


class Batch:
    """Submits jobs, to one queue with one job definition unless they need others.

    A job's name is its id, so that events can find its record.
    """

    def __init__(self, settings: BatchSettings) -> None:
        self._settings = settings
        self._batch = boto3.client("batch")
        # SubmitJob has no token for safe repetition: another try after a lost answer would be a second job.
        self._submitter = boto3.client("batch", config=Config(retries={"total_max_attempts": 1}))
        self._logs = boto3.client("logs")

    @classmethod
    def from_environment(cls) -> "Batch":
        return _batch()

    def submit_run(self, job_id: str, request: TrainRequest, extra: Mapping[str, str] | None = None) -> str:
        """Submit one training run and return Batch's id. Raises SubmissionRefused, DependencyUnavailable."""
        environment = {"JOB_ID": job_id, **training_environment(request), **(extra or {})}
        return self._submit_training(job_id, environment, Demands.of(request.resources))

    def submit_code(self, job_id: str, environment: Mapping[str, str], resources: Resources | None) -> str:
        """Submit a run of people's own code and return Batch's id. Raises as `submit_run`."""
        demands, definition = Demands.of(resources), self._settings.code_job_definition
        return self._submit(job_id, environment, definition=definition, container=demands.container(), **demands.job())

    def submit_sweep(
        self, sweep_id: str, sweep: Sweep, request: TrainRequest, extra: Mapping[str, str] | None = None
    ) -> str:
        """Submit a sweep as one array job, and return Batch's id. Raises as `submit_run`.

        The workers of a tpe sweep have the time of a run for each of those that they do one after the other.
        """
        environment = {**sweep_environment(sweep_id, sweep), **training_environment(request), **(extra or {})}
        demands = Demands.of(request.resources)
        if (rounds := math.ceil(sweep.num_runs / sweep.processes)) > 1:
            minutes = demands.minutes or math.ceil(self._settings.max_job_seconds / 60)
            demands = replace(demands, minutes=min(minutes * rounds, MAX_MINUTES))
        return self._submit_training(sweep_id, environment, demands, **_array(sweep.processes))

    def submit(self, name: str, environment: Mapping[str, str], *, array_size: int = 1) -> str:
        """Submit any job of the definition and return Batch's id. Raises SubmissionRefused, DependencyUnavailable."""
        return self._submit(name, environment, container={}, **_array(array_size))

    def submit_again(self, job: BatchJob, queue: str) -> str:
        """Submit a job to another queue and return the new id. Raises DependencyUnavailable.

        A described job has the variables, the resources and the timeout of its definition and its request. Batch's own
        variables, which a request must not set, are left out. The job keeps its definition, and with it its role.
        """
        code = self._settings.code_job_definition
        definition = code if code and _name(job.get("jobDefinition", "")) == _name(code) else None
        environment = {name: value for name, value in environment_of(job).items() if not name.startswith("AWS_BATCH")}
        more: dict[str, Any] = {}
        if size := job.get("arrayProperties", {}).get("size"):
            more["arrayProperties"] = {"size": size}
        if timeout := job.get("timeout"):
            more["timeout"] = timeout
        requirements = job.get("container", {}).get("resourceRequirements")
        container = {"resourceRequirements": requirements} if requirements else {}
        more |= {"queue": queue, "definition": definition}
        return self._submit(job["jobName"], environment, container=container, **more)

    def find(self, name: str, queue: str | None = None) -> str | None:
        """Return the id of a job with this name in the queue, or in those that training submits to, if there is one."""
        of_training = filter(None, (self._settings.job_queue, self._settings.gpu_job_queue))
        for each in [queue] if queue else of_training:
            answer = self._batch.list_jobs(jobQueue=each, filters=[{"name": "JOB_NAME", "values": [name]}])
            if jobs := answer["jobSummaryList"]:
                return str(jobs[0]["jobId"])
        return None

    def stop(self, batch_job_id: str, reason: str) -> None:
        """Cancel a waiting job or terminate a running one. A job that has ended is not changed."""
        self._batch.terminate_job(jobId=batch_job_id, reason=reason)

    def describe(self, batch_job_ids: list[str]) -> list[BatchJob]:
        """Return those of the jobs that Batch still has."""
        jobs: list[BatchJob] = []
        for start in range(0, len(batch_job_ids), 100):
            answer = self._batch.describe_jobs(jobs=batch_job_ids[start : start + 100])
            jobs += cast(list[BatchJob], answer["jobs"])
        return jobs

    def log_lines(self, batch_job_id: str, cursor: str | None) -> LogLines:
        """Return lines that a job wrote, from `cursor` on.

        Raises:
            NotFound: The job has not started yet, so there is no log.
            ValidationFailed: No page of this log has returned the cursor.
        """
        jobs = self.describe([batch_job_id])
        stream = jobs[0].get("container", {}).get("logStreamName") if jobs else None
        if stream is None:
            raise NotFound("The job has not started, so it has no log yet; ask again when its status is running")
        page = {"nextToken": cursor} if cursor else {}
        try:
            answer = self._logs.get_log_events(
                logGroupName=self._settings.job_log_group, logStreamName=stream, startFromHead=True, limit=1000, **page
            )
        except self._logs.exceptions.ResourceNotFoundException as error:
            raise NotFound("The job has not written anything yet; ask again in some seconds") from error
        except self._logs.exceptions.InvalidParameterException as error:
            if cursor is None:
                raise
            raise unknown_cursor() from error
        lines = [LogLine(event["timestamp"], event["message"]) for event in answer["events"]]
        return LogLines(lines, answer.get("nextForwardToken"))

    def _submit_training(self, name: str, environment: Mapping[str, str], demands: Demands, **more: Any) -> str:
        """Submit a training job to the queue that has what it demands."""
        if demands.gpu:
            more |= {"queue": self._settings.gpu_job_queue, "definition": self._settings.gpu_job_definition}
        return self._submit(name, environment, container=demands.container(), **demands.job(), **more)

    def _submit(
        self,
        name: str,
        environment: Mapping[str, str],
        *,
        container: Mapping[str, Any],
        queue: str | None = None,
        definition: str | None = None,
        **more: Any,
    ) -> str:
        try:
            answer = self._submitter.submit_job(
                jobName=name,
                jobQueue=queue or self._settings.job_queue,
                jobDefinition=definition or self._settings.job_definition,
                containerOverrides={"environment": _pairs(environment), **container},
                **more,
            )
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
                raise SubmissionRefused(
                    "AWS Batch refused the job, and nothing was started; try again later"
                ) from error
            raise _unknown_outcome(name) from error
        except BotoCoreError as error:
            raise _unknown_outcome(name) from error
        batch_job_id: str = answer["jobId"]
        return batch_job_id


def sweep_environment(sweep_id: str, sweep: Sweep) -> dict[str, str]:
    """Return the variables from which the runs of a sweep derive their own hyperparameters."""
    return {"SWEEP_ID": sweep_id, "SWEEP": sweep.model_dump_json()}


def _array(size: int) -> dict[str, Any]:
    """Return the part of SubmitJob that makes an array of jobs. Batch has no arrays of one job."""
    return {"arrayProperties": {"size": size}} if size > 1 else {}


def _name(definition: str) -> str:
    """Return the ARN of a job definition without its revision, which a deployment may change."""
    return definition.rpartition(":")[0]


def _pairs(environment: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in environment.items()]


def _unknown_outcome(name: str) -> DependencyUnavailable:
    return DependencyUnavailable(
        f"AWS Batch did not answer, so {name} may be running; check its status before you submit it again"
    )


@cache
def _batch() -> Batch:
    return Batch(BatchSettings.from_environment())
