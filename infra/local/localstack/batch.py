"""The platform's own Batch within LocalStack, whose free edition has none: its state, its events and its logs."""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache, partial
from typing import Any

from localstack.aws.connect import connect_to

from infra.local.aws.batch.journal import state_change
from infra.local.aws.batch.resources import Document
from infra.local.aws.batch.runner import Image
from infra.local.aws.batch.scheduler import Scheduler
from infra.local.aws.batch.service import BatchService
from infra.local.aws.batch.store import Store
from infra.local.aws.environment import job_environment
from infra.local.localstack.environment import JOB_PYTHON
from infra.local.settings import ACCOUNT, REGION, Settings

log = logging.getLogger("batch")


class LocalBatch:
    """The service and its scheduler, for one process."""

    def __init__(self, settings: Settings) -> None:
        self._store = Store(settings.batch_file)
        sources = ("layers/core/python", "training_container", "client", "functions/tracking")
        packages = tuple(settings.root / folder for folder in sources)
        image = Image(packages, job_environment(settings), python=os.environ[JOB_PYTHON])
        self.scheduler = Scheduler(
            self._store, image, LocalStackOutlet(), slots=settings.batch_slots, scratch=settings.aws_tmp_dir / "jobs"
        )
        self.service = BatchService(self._store, self.scheduler, region=REGION, account=ACCOUNT)


@cache
def local_batch() -> LocalBatch:
    """The one of this process, with the settings in its environment."""
    return LocalBatch(Settings.from_environment())


class LocalStackOutlet:
    """The outlet of the local Batch (see `infra.local.aws.batch.journal.Outlet`): one call after the other."""

    def __init__(self) -> None:
        self._calls: queue.Queue[Callable[[], object]] = queue.Queue()
        threading.Thread(target=self._work, name="batch-outlet", daemon=True).start()

    def state_changed(self, detail: Document) -> None:
        """Publish a "Batch Job State Change" event, soon."""
        entry = state_change(detail)
        self._calls.put(lambda: _client("events").put_events(Entries=[entry]))

    def write_log(self, group: str, stream: str, lines: Sequence[tuple[int, str]]) -> None:
        """Append (epoch milliseconds, text) lines, soon; with no lines, only make the stream."""
        self._calls.put(partial(_append, group, stream, tuple(lines)))

    def _work(self) -> None:
        while True:
            call = self._calls.get()
            try:
                call()
            except Exception:
                log.exception("an event or log of a job did not get to LocalStack")


def _append(group: str, stream: str, lines: Sequence[tuple[int, str]]) -> None:
    logs = _client("logs")
    if not lines:
        with suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_group(logGroupName=group)
        with suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_stream(logGroupName=group, logStreamName=stream)
        return
    events = [{"timestamp": when, "message": text or " "} for when, text in lines]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


@cache
def _client(service: str) -> Any:
    """A client within LocalStack, which may use the sources aws.*."""
    return connect_to(aws_access_key_id=ACCOUNT, region_name=REGION).get_client(service)
