"""Batch's events and logs, handed to EventBridge and CloudWatch Logs on the thread that serves requests."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Sequence
from functools import partial

from ministack import app
from ministack.services import cloudwatch_logs, eventbridge

from infra.local.aws.batch.journal import state_change
from infra.local.aws.batch.resources import Document


class AwsOutlet:
    """The outlet of the local Batch; see `batch.journal.Outlet`."""

    def __init__(self) -> None:
        self._context = contextvars.copy_context()

    def state_changed(self, detail: Document) -> None:
        """Publish a "Batch Job State Change" event, soon."""
        entry = state_change(detail)
        # Only the services themselves may use sources aws.*, and this flag says that one does.
        self._soon(lambda: eventbridge._put_events({"Entries": [entry]}, True))

    def write_log(self, group: str, stream: str, lines: Sequence[tuple[int, str]]) -> None:
        """Append (epoch milliseconds, text) lines, soon; with no lines, only make the stream."""
        self._soon(partial(_append, group, stream, tuple(lines)))

    def _soon(self, call: Callable[[], object]) -> None:
        loop = app._MAIN_LOOP
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._context.copy().run, call)


def _append(group: str, stream: str, lines: Sequence[tuple[int, str]]) -> None:
    if group not in cloudwatch_logs._log_groups:
        cloudwatch_logs._create_log_group({"logGroupName": group})
    if stream not in cloudwatch_logs._log_groups[group]["streams"]:
        cloudwatch_logs._create_log_stream({"logGroupName": group, "logStreamName": stream})
    if lines:
        events = [{"timestamp": when, "message": text or " "} for when, text in lines]
        cloudwatch_logs._put_log_events({"logGroupName": group, "logStreamName": stream, "logEvents": events})
