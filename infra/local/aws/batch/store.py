"""Batch's memory: every record is written through to one SQLite file, so a kill -9 loses nothing acknowledged.

A file of JSON would be rewritten whole for each step of each of the up to 10,000 children of an array.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Protocol, TypeVar

from infra.local.aws.batch.documents import decode, encode, process_of
from infra.local.aws.batch.jobs import Job
from infra.local.aws.batch.resources import ComputeEnvironment, Document, JobDefinition, JobQueue
from infra.local.aws.batch.rules import Status
from infra.local.processes import Process

# AWS Batch forgets ended jobs after a week or more.
KEPT_SECONDS = 7 * 24 * 3600

_SCHEMA = """
create table if not exists records (
    kind text not null, id text not null, body text not null, primary key (kind, id)
) without rowid
"""


class _Resource(Protocol):
    @property
    def key(self) -> str: ...

    def document(self) -> Document: ...


R = TypeVar("R", bound=_Resource)


class Resources(Mapping[str, R]):
    """The resources of one kind by key, in memory and in the file."""

    def __init__(self, database: sqlite3.Connection, kind: str, read: Callable[[Document], R]) -> None:
        self._database, self._kind = database, kind
        self._resources = {key: read(document) for key, document in _documents(database, kind)}

    def __getitem__(self, key: str) -> R:
        return self._resources[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._resources)

    def __len__(self) -> int:
        return len(self._resources)

    def put(self, resource: R) -> None:
        """Keep a resource, in place of the one with its key."""
        row = (self._kind, resource.key, json.dumps(resource.document()))
        self._database.execute("insert or replace into records values (?, ?, ?)", row)
        self._resources[resource.key] = resource

    def delete(self, key: str) -> None:
        """Forget a resource; one that is not there is no error."""
        self._database.execute("delete from records where kind = ? and id = ?", (self._kind, key))
        self._resources.pop(key, None)


class Store:
    """Compute environments, queues, definitions and jobs, in memory and in the file.

    Not thread-safe: the service holds its lock around every use.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("pragma journal_mode = wal")
        self._database.execute("pragma synchronous = normal")
        self._database.execute(_SCHEMA)
        self.compute_environments = Resources(self._database, "compute_environment", ComputeEnvironment.read)
        self.queues = Resources(self._database, "queue", JobQueue.read)
        self.definitions = Resources(self._database, "definition", JobDefinition.read)
        self.jobs: dict[str, Job] = {}
        self._load_jobs()

    def put_jobs(self, *jobs: Job) -> None:
        """Keep several jobs in one transaction: an array job is there with all its children or not at all."""
        rows = [("job", job.job_id, json.dumps(encode(job))) for job in jobs]
        self._database.execute("begin")
        try:
            self._database.executemany("insert or replace into records values (?, ?, ?)", rows)
            self._database.execute("commit")
        except BaseException:
            self._database.execute("rollback")
            raise
        self.jobs.update((job.job_id, job) for job in jobs)

    def close(self) -> None:
        self._database.close()

    def _load_jobs(self) -> None:
        """Read the jobs, and forget the old ones; the children of an array go with it."""
        oldest = (time.time() - KEPT_SECONDS) * 1000
        forgotten = []
        for key, document in _documents(self._database, "job"):
            parent = self.jobs.get(document["_parent"]) if "_parent" in document else None
            is_orphan = "_parent" in document and parent is None
            is_old = Status(document["status"]).has_ended and document.get("stoppedAt", 0) < oldest
            if is_orphan or (parent is None and is_old):
                forgotten.append(("job", key))
                continue
            job = self.jobs[key] = decode(document, parent)
            if parent is not None:
                parent.children.append(job)
        for job in self.jobs.values():
            job.children.sort(key=lambda child: child.index or 0)
        self._database.executemany("delete from records where kind = ? and id = ?", forgotten)


def leftover_processes(path: Path) -> Iterator[tuple[str, Process]]:
    """(job id, process) of every recorded process of a job that still runs, whether or not the service does."""
    if not path.exists():
        return
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
        documents = list(_documents(database, "job"))
    for key, document in documents:
        process = process_of(document)
        if process is not None and process.alive():
            yield key, process


def _documents(database: sqlite3.Connection, kind: str) -> Iterator[tuple[str, Document]]:
    """(key, JSON) of all records of a kind; an array comes before its children, whose ids are longer."""
    rows = database.execute("select id, body from records where kind = ? order by length(id), id", (kind,))
    for key, body in rows.fetchall():
        yield key, json.loads(body)
