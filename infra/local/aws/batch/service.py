"""The Batch API as its clients reach it: an operation for each path, errors in AWS's shape."""

from __future__ import annotations

import json
from collections.abc import Callable

from infra.local.aws.batch.job_operations import JobOperations
from infra.local.aws.batch.requests import BatchError, Request
from infra.local.aws.batch.resource_operations import ResourceOperations
from infra.local.aws.batch.resources import Document
from infra.local.aws.batch.scheduler import Scheduler
from infra.local.aws.batch.store import Store


class BatchService:
    """The operations of AWS Batch that the platform and its tests use, for one account and region."""

    def __init__(self, store: Store, scheduler: Scheduler, *, region: str, account: str) -> None:
        arn_prefix = f"arn:aws:batch:{region}:{account}:"
        self._scheduler = scheduler
        self.resources = ResourceOperations(store, scheduler, arn_prefix)
        jobs = JobOperations(store, scheduler, self.resources, arn_prefix)
        self._operations: dict[str, Callable[[Request], Document]] = {
            "createcomputeenvironment": self.resources.create_compute_environment,
            "createjobqueue": self.resources.create_job_queue,
            "describejobqueues": self.resources.describe_job_queues,
            "registerjobdefinition": self.resources.register_job_definition,
            "deregisterjobdefinition": self.resources.deregister_job_definition,
            "describejobdefinitions": self.resources.describe_job_definitions,
            "submitjob": jobs.submit_job,
            "describejobs": jobs.describe_jobs,
            "listjobs": jobs.list_jobs,
            "terminatejob": jobs.terminate_job,
        }

    def handle(self, method: str, path: str, body: bytes) -> tuple[int, Document]:
        """Answer one HTTP request: (status, JSON body)."""
        try:
            operation = self._operations.get(path.removeprefix("/v1/").rstrip("/").lower())
            if method != "POST" or operation is None:
                raise BatchError(f"The local AWS Batch has no operation {method} {path}")
            request = json.loads(body or b"{}")
            if not isinstance(request, dict):
                raise BatchError("The request body is not a JSON object")
            with self._scheduler.lock:
                return 200, operation(request)
        except json.JSONDecodeError:
            return 400, _error("SerializationException", "The request body is not JSON")
        except BatchError as error:
            return 400, _error("ClientException", str(error))


def _error(code: str, message: str) -> Document:
    return {"__type": code, "code": code, "message": message}
