"""Batch's memory: every record is written through to one SQLite file, so a kill -9 loses nothing acknowledged.

A file of JSON would be rewritten whole for each step of each of an array's up to 10,000 children.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from infra.local.aws.batch.rules import ENDED
from infra.local.processes import Process

Record = dict[str, Any]

# AWS Batch forgets ended jobs after a week or more.
KEPT_SECONDS = 7 * 24 * 3600

_SCHEMA = """
create table if not exists records (
    kind text not null, id text not null, body text not null, primary key (kind, id)
) without rowid
"""


class Store:
    """Compute environments, queues, definitions and jobs, in memory and on disk.

    Not thread-safe: the service holds its lock around every use.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("pragma journal_mode = wal")
        self._database.execute("pragma synchronous = normal")
        self._database.execute(_SCHEMA)
        self.compute_environments: dict[str, Record] = {}
        self.queues: dict[str, Record] = {}
        self.definitions: dict[str, Record] = {}
        self.jobs: dict[str, Record] = {}
        self._kinds = {
            "compute_environment": self.compute_environments,
            "queue": self.queues,
            "definition": self.definitions,
            "job": self.jobs,
        }
        self._load()

    def _load(self) -> None:
        oldest = (time.time() - KEPT_SECONDS) * 1000
        stale = []
        for kind, key, body in self._database.execute("select kind, id, body from records"):
            record = json.loads(body)
            if kind == "job" and record["status"] in ENDED and record.get("stoppedAt", 0) < oldest:
                stale.append((kind, key))
            else:
                self._kinds[kind][key] = record
        self._database.executemany("delete from records where kind = ? and id = ?", stale)

    def put(self, kind: str, key: str, record: Record) -> None:
        """Keep a record, in memory and on disk."""
        self.put_all(kind, [(key, record)])

    def put_all(self, kind: str, records: Iterable[tuple[str, Record]]) -> None:
        """Keep several records in one transaction: an array job is there with all its children or not at all."""
        kept = list(records)
        rows = [(kind, key, json.dumps(record)) for key, record in kept]
        self._database.execute("begin")
        try:
            self._database.executemany("insert or replace into records values (?, ?, ?)", rows)
            self._database.execute("commit")
        except BaseException:
            self._database.execute("rollback")
            raise
        self._kinds[kind].update(kept)

    def delete(self, kind: str, key: str) -> None:
        self._kinds[kind].pop(key, None)
        self._database.execute("delete from records where kind = ? and id = ?", (kind, key))

    def close(self) -> None:
        self._database.close()


def leftover_processes(path: Path) -> Iterator[tuple[str, Process]]:
    """(job id, process) of every recorded job process that still runs, whether or not the service does."""
    if not path.exists():
        return
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
        rows = database.execute("select id, body from records where kind = 'job'").fetchall()
    for key, body in rows:
        process = Process.from_record(json.loads(body).get("_process"))
        if process is not None and process.alive():
            yield key, process
