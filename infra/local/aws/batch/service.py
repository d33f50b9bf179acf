"""The Batch API: requests in AWS's JSON, checked as AWS checks them."""

from __future__ import annotations

import base64
import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from infra.local.aws.batch import jobs as records
from infra.local.aws.batch.rules import STATUSES, array_size_error, retry_strategy_error
from infra.local.aws.batch.scheduler import Scheduler
from infra.local.aws.batch.store import Record, Store

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_DEFAULT_PAGE = 100


class BatchError(Exception):
    """A request AWS would refuse with a ClientException; the text is its message."""


class BatchService:
    """AWS Batch's operations on a store and a scheduler, for one account and region."""

    def __init__(self, store: Store, scheduler: Scheduler, *, region: str, account: str) -> None:
        self._store = store
        self._scheduler = scheduler
        self._arn_prefix = f"arn:aws:batch:{region}:{account}:"
        self._ecs_prefix = f"arn:aws:ecs:{region}:{account}:cluster/"
        self._operations: dict[str, Callable[[Mapping[str, Any]], Record]] = {
            "createcomputeenvironment": self.create_compute_environment,
            "updatecomputeenvironment": self.update_compute_environment,
            "deletecomputeenvironment": self.delete_compute_environment,
            "describecomputeenvironments": self.describe_compute_environments,
            "createjobqueue": self.create_job_queue,
            "updatejobqueue": self.update_job_queue,
            "deletejobqueue": self.delete_job_queue,
            "describejobqueues": self.describe_job_queues,
            "registerjobdefinition": self.register_job_definition,
            "deregisterjobdefinition": self.deregister_job_definition,
            "describejobdefinitions": self.describe_job_definitions,
            "submitjob": self.submit_job,
            "describejobs": self.describe_jobs,
            "listjobs": self.list_jobs,
            "canceljob": self.cancel_job,
            "terminatejob": self.terminate_job,
        }

    def handle(self, method: str, path: str, body: bytes, query: Mapping[str, list[str]]) -> tuple[int, Record]:
        """Answer one HTTP request: (status, JSON body)."""
        try:
            if path.startswith("/v1/tags/"):
                return 200, self._tags(method, unquote(path.removeprefix("/v1/tags/")), body, query)
            operation = self._operations.get(path.removeprefix("/v1/").rstrip("/").lower())
            if method != "POST" or operation is None:
                raise BatchError(f"Unknown operation: {method} {path}")
            request = json.loads(body or b"{}")
            if not isinstance(request, dict):
                raise BatchError("The request body is not a JSON object")
            with self._scheduler.lock:
                return 200, operation(request)
        except json.JSONDecodeError:
            return 400, _error("SerializationException", "The request body is not JSON")
        except BatchError as error:
            return 400, _error("ClientException", str(error))

    # Compute environments and queues

    def create_compute_environment(self, request: Mapping[str, Any]) -> Record:
        name = _checked_name(request, "computeEnvironmentName")
        if name in self._store.compute_environments:
            raise BatchError(f"Object already exists: {name}")
        environment = {
            **request,
            "computeEnvironmentArn": f"{self._arn_prefix}compute-environment/{name}",
            "ecsClusterArn": f"{self._ecs_prefix}{name}",
            "type": request.get("type", "MANAGED").upper(),
            "state": request.get("state", "ENABLED"),
            "status": "VALID",
            "statusReason": "ComputeEnvironment Healthy",
        }
        self._store.put("compute_environment", name, environment)
        return _pick(environment, "computeEnvironmentName", "computeEnvironmentArn")

    def update_compute_environment(self, request: Mapping[str, Any]) -> Record:
        environment = self._compute_environment(request.get("computeEnvironment", ""))
        changed = {key: value for key, value in request.items() if key != "computeEnvironment"}
        if "computeResources" in changed:
            changed["computeResources"] = {**environment.get("computeResources", {}), **changed["computeResources"]}
        environment = {**environment, **changed}
        self._store.put("compute_environment", environment["computeEnvironmentName"], environment)
        return _pick(environment, "computeEnvironmentName", "computeEnvironmentArn")

    def delete_compute_environment(self, request: Mapping[str, Any]) -> Record:
        name = _last(request.get("computeEnvironment", ""))
        for queue in self._store.queues.values():
            order = queue.get("computeEnvironmentOrder") or ()
            if any(_last(entry["computeEnvironment"]) == name for entry in order):
                raise BatchError(f"Cannot delete, found existing JobQueue relationship: {queue['jobQueueName']}")
        self._store.delete("compute_environment", name)
        return {}

    def describe_compute_environments(self, request: Mapping[str, Any]) -> Record:
        found = _named(self._store.compute_environments, request.get("computeEnvironments"))
        return _page(found, request, "computeEnvironments")

    def create_job_queue(self, request: Mapping[str, Any]) -> Record:
        name = _checked_name(request, "jobQueueName")
        if name in self._store.queues:
            raise BatchError(f"Object already exists: {name}")
        for entry in request.get("computeEnvironmentOrder") or ():
            self._compute_environment(entry.get("computeEnvironment", ""))
        queue = {
            **request,
            "jobQueueArn": f"{self._arn_prefix}job-queue/{name}",
            "state": request.get("state", "ENABLED"),
            "priority": request.get("priority", 1),
            "status": "VALID",
            "statusReason": "JobQueue Healthy",
        }
        self._store.put("queue", name, queue)
        return _pick(queue, "jobQueueName", "jobQueueArn")

    def update_job_queue(self, request: Mapping[str, Any]) -> Record:
        queue = {**self._queue(request.get("jobQueue", ""))}
        queue |= {key: value for key, value in request.items() if key != "jobQueue"}
        self._store.put("queue", queue["jobQueueName"], queue)
        return _pick(queue, "jobQueueName", "jobQueueArn")

    def delete_job_queue(self, request: Mapping[str, Any]) -> Record:
        name = _last(request.get("jobQueue", ""))
        queue = self._store.queues.get(name)
        if queue is not None:
            for job in list(self._store.jobs.values()):
                if job.get("jobQueue") == queue["jobQueueArn"]:
                    self._scheduler.terminate(job, "Job Queue deleted")
            self._store.delete("queue", name)
        return {}

    def describe_job_queues(self, request: Mapping[str, Any]) -> Record:
        return _page(_named(self._store.queues, request.get("jobQueues")), request, "jobQueues")

    # Job definitions

    def register_job_definition(self, request: Mapping[str, Any]) -> Record:
        name = _checked_name(request, "jobDefinitionName")
        if request.get("type") != "container":
            raise BatchError("Only job definitions of type container run here")
        error = retry_strategy_error(request.get("retryStrategy") or {})
        if error:
            raise BatchError(error)
        for pair in (request.get("containerProperties") or {}).get("environment") or ():
            _refuse_reserved(pair)
        revision = 1 + max((each["revision"] for each in self._revisions(name)), default=0)
        definition = {
            **request,
            "jobDefinitionArn": f"{self._arn_prefix}job-definition/{name}:{revision}",
            "revision": revision,
            "status": "ACTIVE",
        }
        self._store.put("definition", f"{name}:{revision}", definition)
        return _pick(definition, "jobDefinitionName", "jobDefinitionArn", "revision")

    def deregister_job_definition(self, request: Mapping[str, Any]) -> Record:
        definition = self._definition(request.get("jobDefinition", ""), active_only=False)
        name = f"{definition['jobDefinitionName']}:{definition['revision']}"
        self._store.put("definition", name, {**definition, "status": "INACTIVE"})
        return {}

    def describe_job_definitions(self, request: Mapping[str, Any]) -> Record:
        if request.get("jobDefinitions"):
            found = []
            for reference in request["jobDefinitions"]:
                key = _last(reference)
                found += [self._store.definitions[key]] if key in self._store.definitions else self._revisions(key)
        elif request.get("jobDefinitionName"):
            found = self._revisions(_last(request["jobDefinitionName"]).split(":")[0])
        else:
            found = list(self._store.definitions.values())
        if request.get("status"):
            found = [each for each in found if each["status"] == request["status"]]
        newest_first = sorted(found, key=lambda each: (each["jobDefinitionName"], -each["revision"]))
        return _page(newest_first, request, "jobDefinitions")

    # Jobs

    def submit_job(self, request: Mapping[str, Any]) -> Record:
        _checked_name(request, "jobName")
        queue = self._queue(request.get("jobQueue", ""))
        if queue["state"] != "ENABLED":
            raise BatchError(f"JobQueue {queue['jobQueueName']} is not enabled")
        definition = self._definition(request.get("jobDefinition", ""))
        error = retry_strategy_error(request.get("retryStrategy") or {})
        size = (request.get("arrayProperties") or {}).get("size")
        if size is not None:
            error = error or array_size_error(size)
        seconds = (request.get("timeout") or {}).get("attemptDurationSeconds", 60)
        if not isinstance(seconds, int) or seconds < 60:
            error = error or "timeout.attemptDurationSeconds must be at least 60"
        if error:
            raise BatchError(error)
        for pair in (request.get("containerOverrides") or {}).get("environment") or ():
            _refuse_reserved(pair)
        for dependency in request.get("dependsOn") or ():
            if dependency.get("type") or not dependency.get("jobId"):
                raise BatchError("dependsOn takes a jobId; SEQUENTIAL and N_TO_N dependencies do not run here")
            if dependency["jobId"] not in self._store.jobs:
                raise BatchError(f"Job {dependency['jobId']} in dependsOn does not exist")
        order = sorted(queue.get("computeEnvironmentOrder") or (), key=lambda entry: entry.get("order", 0))
        environment = self._compute_environment(order[0]["computeEnvironment"]) if order else None
        job_id = str(uuid.uuid4())
        job = records.new_job(
            job_id,
            f"{self._arn_prefix}job/{job_id}",
            request,
            definition,
            queue,
            environment,
            now_ms=int(time.time() * 1000),
            sequence=time.time_ns(),
        )
        children = records.new_children(job, size) if size is not None else []
        self._scheduler.submit(job, children)
        return _pick(job, "jobId", "jobArn", "jobName")

    def describe_jobs(self, request: Mapping[str, Any]) -> Record:
        ids = request.get("jobs")
        if not isinstance(ids, list) or len(ids) > 100:
            raise BatchError("jobs must list at most 100 job ids")
        found = [self._store.jobs[_last(job_id)] for job_id in ids if _last(job_id) in self._store.jobs]
        return {"jobs": [records.describe(job, self._scheduler.parent_of(job)) for job in found]}

    def list_jobs(self, request: Mapping[str, Any]) -> Record:
        status = request.get("jobStatus") or "RUNNING"
        if status not in STATUSES:
            raise BatchError(f"Invalid job status: {status}")
        filters = request.get("filters") or ()
        if request.get("arrayJobId"):
            parent = self._store.jobs.get(request["arrayJobId"])
            jobs = [] if parent is None else self._scheduler.leaves_of(parent)
            wanted = [job for job in jobs if job is not parent and job["status"] == status]
        elif request.get("jobQueue"):
            arn = self._queue(request["jobQueue"])["jobQueueArn"]
            jobs = [job for job in self._store.jobs.values() if job.get("jobQueue") == arn]
            wanted = [job for job in jobs if _passes(job, filters) and (filters or job["status"] == status)]
            wanted.sort(key=lambda job: job["_sequence"], reverse=True)
        else:
            raise BatchError("Exactly one of jobQueue, arrayJobId must be given")
        found = [records.summary(job, self._scheduler.parent_of(job)) for job in wanted]
        return _page(found, request, "jobSummaryList")

    def cancel_job(self, request: Mapping[str, Any]) -> Record:
        self._end_with(self._scheduler.cancel, request)
        return {}

    def terminate_job(self, request: Mapping[str, Any]) -> Record:
        self._end_with(self._scheduler.terminate, request)
        return {}

    def _end_with(self, end: Callable[[Record, str], None], request: Mapping[str, Any]) -> None:
        if not request.get("reason"):
            raise BatchError("reason is required")
        job = self._store.jobs.get(_last(request.get("jobId") or ""))
        if job is None:
            raise BatchError(f"Job {request.get('jobId')} does not exist")
        end(job, request["reason"])

    # Lookups

    def _compute_environment(self, reference: str) -> Record:
        try:
            return self._store.compute_environments[_last(reference)]
        except KeyError:
            raise BatchError(f"Compute environment {reference!r} does not exist") from None

    def _queue(self, reference: str) -> Record:
        try:
            return self._store.queues[_last(reference)]
        except KeyError:
            raise BatchError(f"Job queue {reference!r} does not exist") from None

    def _revisions(self, name: str) -> list[Record]:
        return [each for each in self._store.definitions.values() if each["jobDefinitionName"] == name]

    def _definition(self, reference: str, *, active_only: bool = True) -> Record:
        """The named revision, or the newest active one of a bare name."""
        key = _last(reference)
        found = [self._store.definitions[key]] if key in self._store.definitions else self._revisions(key)
        usable = [each for each in found if each["status"] == "ACTIVE" or not active_only]
        if not usable:
            raise BatchError(f"Job definition {reference!r} does not exist or is not active")
        return max(usable, key=lambda each: each["revision"])

    def _tags(self, method: str, arn: str, body: bytes, query: Mapping[str, list[str]]) -> Record:
        with self._scheduler.lock:
            kind, key, record = self._tagged(arn)
            tags = dict(record.get("tags") or {})
            if method == "GET":
                return {"tags": tags}
            if method == "POST":
                tags |= json.loads(body or b"{}").get("tags") or {}
            else:
                tags = {name: value for name, value in tags.items() if name not in query.get("tagKeys", ())}
            record["tags"] = tags
            self._store.put(kind, key, record)
            return {}

    def _tagged(self, arn: str) -> tuple[str, str, Record]:
        key = _last(arn)
        for kind, name, records_ in (
            ("compute_environment", "compute-environment", self._store.compute_environments),
            ("queue", "job-queue", self._store.queues),
            ("definition", "job-definition", self._store.definitions),
            ("job", "job", self._store.jobs),
        ):
            if arn == f"{self._arn_prefix}{name}/{key}" and key in records_:
                return kind, key, records_[key]
        raise BatchError(f"Resource {arn} does not exist")


def _checked_name(request: Mapping[str, Any], field: str) -> str:
    name = request.get(field)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BatchError(f"{field} must be 1 to 128 letters, digits, hyphens or underscores")
    return name


def _refuse_reserved(pair: Mapping[str, str]) -> None:
    if pair.get("name", "").startswith("AWS_BATCH"):
        raise BatchError(f"Environment variable names must not start with AWS_BATCH: {pair['name']}")


def _last(reference: str) -> str:
    """The name in an ARN, or the name itself."""
    return reference.split("/", 1)[1] if reference.startswith("arn:") and "/" in reference else reference


def _named(table: Mapping[str, Record], references: list[str] | None) -> list[Record]:
    if not references:
        return list(table.values())
    return [table[_last(reference)] for reference in references if _last(reference) in table]


def _passes(job: Record, filters: Any) -> bool:
    """Whether a job passes ListJobs' filters: any value of each filter."""
    for each in filters:
        name, values = each.get("name"), each.get("values") or ()
        if name == "JOB_NAME":
            passed = any(_starts_or_is(job["jobName"], value) for value in values)
        elif name == "JOB_DEFINITION":
            passed = any(_starts_or_is(_last(job["jobDefinition"]).split(":")[0], value) for value in values)
        elif name == "BEFORE_CREATED_AT":
            passed = any(job["createdAt"] < int(value) for value in values)
        elif name == "AFTER_CREATED_AT":
            passed = any(job["createdAt"] > int(value) for value in values)
        else:
            raise BatchError(f"Invalid filter name: {name}")
        if not passed:
            return False
    return True


def _starts_or_is(text: str, pattern: str) -> bool:
    text, pattern = text.lower(), pattern.lower()
    return text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern


def _page(items: list[Record], request: Mapping[str, Any], name: str) -> Record:
    size = min(int(request.get("maxResults") or _DEFAULT_PAGE), _DEFAULT_PAGE)
    try:
        start = int(base64.urlsafe_b64decode(request["nextToken"])) if request.get("nextToken") else 0
    except ValueError:
        raise BatchError("Invalid nextToken") from None
    page: Record = {name: items[start : start + size]}
    if start + size < len(items):
        page["nextToken"] = base64.urlsafe_b64encode(str(start + size).encode()).decode()
    return page


def _pick(record: Mapping[str, Any], *names: str) -> Record:
    return {name: record[name] for name in names}


def _error(code: str, message: str) -> Record:
    return {"__type": code, "code": code, "message": message}
