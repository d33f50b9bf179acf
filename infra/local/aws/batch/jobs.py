"""A job as the service knows it: what was submitted, how far it has come, and its place in an array."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from infra.local.aws.batch.resources import ComputeEnvironment, JobDefinition, JobQueue
from infra.local.aws.batch.rules import Status, child_id, merge_environment
from infra.local.processes import Process

INTERRUPTED_SPOT = "Your Spot Task was interrupted."
INTERRUPTED_HOST = "Host EC2 (instance i-0000000000local) terminated."


@dataclass(frozen=True)
class Submission:
    """What a job was submitted with; an array job and its children share one, so that 10,000 children stay small.

    `container` has AWS's containerProperties with the overrides applied. `interruption` is the reason that AWS would
    give if the host of the job went away. `sequence` orders the jobs of a queue.
    """

    job_name: str
    queue_arn: str
    queue_name: str
    definition_arn: str
    definition_name: str
    environment_name: str
    interruption: str
    container: Mapping[str, Any]
    retry_strategy: Mapping[str, Any]
    timeout: Mapping[str, Any] | None
    tags: Mapping[str, str]
    propagate_tags: bool
    platform_capabilities: Sequence[str]
    sequence: int

    @classmethod
    def of(
        cls,
        request: Mapping[str, Any],
        definition: JobDefinition,
        queue: JobQueue,
        environment: ComputeEnvironment | None,
        *,
        sequence: int,
    ) -> Submission:
        """Combine a SubmitJob request with its definition; `environment` is the first one of the queue."""
        override = request.get("containerOverrides") or {}
        container = {
            **definition.container,
            "command": definition.container.get("command") or [],
            "environment": merge_environment(
                definition.container.get("environment") or (), override.get("environment") or ()
            ),
        }
        if "resourceRequirements" in override:
            container["resourceRequirements"] = override["resourceRequirements"]
        is_spot = environment is not None and environment.is_spot
        return cls(
            job_name=request["jobName"],
            queue_arn=queue.arn,
            queue_name=queue.name,
            definition_arn=definition.arn,
            definition_name=definition.name,
            environment_name="" if environment is None else environment.name,
            interruption=INTERRUPTED_SPOT if is_spot else INTERRUPTED_HOST,
            container=container,
            retry_strategy=request.get("retryStrategy") or definition.retry_strategy or {"attempts": 1},
            timeout=request.get("timeout") or definition.timeout,
            tags=definition.tags if definition.propagate_tags else {},
            propagate_tags=definition.propagate_tags,
            platform_capabilities=definition.platform_capabilities,
            sequence=sequence,
        )

    @property
    def timeout_seconds(self) -> int | None:
        """How long one attempt may take."""
        return None if self.timeout is None else int(self.timeout["attemptDurationSeconds"])

    @property
    def vcpus(self) -> float | None:
        """The vCPUs that the job asks for, or None when it does not say."""
        return self._requirement("VCPU")

    @property
    def memory_bytes(self) -> int | None:
        """The memory that the job may use, or None when it does not say."""
        mebibytes = self._requirement("MEMORY")
        return None if mebibytes is None else int(mebibytes * 1024 * 1024)

    def _requirement(self, kind: str) -> float | None:
        for requirement in self.container.get("resourceRequirements") or ():
            if requirement.get("type") == kind:
                return float(requirement["value"])
        return None

    @property
    def log_group(self) -> str:
        return str(self._log_options.get("awslogs-group", "/aws/batch/job"))

    def log_stream(self, task_id: str) -> str:
        """Name the log stream of one attempt as the awslogs driver does."""
        prefix = self._log_options.get("awslogs-stream-prefix", self.definition_name)
        return f"{prefix}/default/{task_id}"

    @property
    def _log_options(self) -> Mapping[str, str]:
        return (self.container.get("logConfiguration") or {}).get("options") or {}


@dataclass(frozen=True)
class ContainerState:
    """What is known of the container of one attempt."""

    log_stream: str | None = None
    exit_code: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class PastAttempt:
    """An attempt that has ended; times are epoch milliseconds."""

    container: ContainerState
    started_at: int | None
    stopped_at: int
    status_reason: str


@dataclass(eq=False)
class Job:
    """A job, an array job with its children, or a child with its parent and index.

    `container` is of the latest attempt. `termination` is the reason of a TerminateJob whose job still runs, `process`
    the process that runs it. `status_counts` counts the children of an array job by status.
    """

    job_id: str
    arn: str
    submission: Submission = field(repr=False)
    created_at: int
    status: Status = Status.SUBMITTED
    status_reason: str = ""
    started_at: int | None = None
    stopped_at: int | None = None
    container: ContainerState = ContainerState()
    attempts: list[PastAttempt] = field(default_factory=list)
    is_terminated: bool = False
    termination: str | None = None
    process: Process | None = None
    parent: Job | None = field(default=None, repr=False)
    index: int | None = None
    children: list[Job] = field(default_factory=list, repr=False)
    status_counts: dict[Status, int] = field(default_factory=dict)

    def make_array(self, size: int) -> None:
        """Make this an array job with `size` children."""
        self.status_counts = dict.fromkeys(Status, 0) | {Status.SUBMITTED: size}
        self.children = [
            Job(
                child_id(self.job_id, index),
                child_id(self.arn, index),
                self.submission,
                self.created_at,
                parent=self,
                index=index,
            )
            for index in range(size)
        ]

    @property
    def array_size(self) -> int | None:
        """The number of children, or None for a job that is no array."""
        return sum(self.status_counts.values()) or None

    @property
    def runs(self) -> Sequence[Job]:
        """The jobs that run for this one: the children of an array, else the job itself."""
        return self.children if self.array_size else [self]

    def family(self) -> Iterator[Job]:
        """The job and its children."""
        yield self
        yield from self.children
