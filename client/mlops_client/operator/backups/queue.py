"""Stop the queue of promotions while a stack is copied, so that aliases, manifests and records belong together.

Promotion does not take messages meanwhile; they wait in the queue. A note in the bucket says who has stopped it. So a
process that was killed leaves a trace, and the next backup or restore, or `mlops backup --resume-queue`, starts the
queue.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from mlops_client.errors import MlopsError
from mlops_client.operator import aws
from mlops_client.operator.backups.stack import StackResources

NOTE = "platform/promotion-queue-stopped.json"
DRAIN_SECONDS = 180.0
"""What is under way ends in less: promotion has 60 seconds, and its message is hidden for 90."""
PAUSE_SECONDS = 1.0
QUIET = 3

Say = Callable[[str], None]


class PromotionQueue:
    """The queue of promotions of a stack, and the function that takes messages from it."""

    def __init__(self, stack: StackResources) -> None:
        session = aws.session()
        self._stack = stack
        self._lambda: Any = session.client("lambda")
        self._sqs: Any = session.client("sqs")
        self._s3: Any = session.client("s3")

    @contextmanager
    def stopped(self, say: Say) -> Iterator[None]:
        """Stop the queue, wait until nothing is under way, and start the queue at the end, whatever happens.

        A queue that an operator has stopped is left alone.

        Raises:
            MlopsError: What is under way does not end.
        """
        self._refuse_another()
        if self.resume():
            say("a backup or a restore was killed and had left the promotion queue stopped; it was started again")
        if self._state() != "Enabled":
            say("the promotion queue was stopped by somebody else, and stays so")
            yield
            return
        now = datetime.now(UTC).isoformat(timespec="seconds")
        note = {"at": now, "host": socket.gethostname(), "pid": os.getpid()}
        self._s3.put_object(Bucket=self._stack.bucket, Key=NOTE, Body=json.dumps(note).encode())
        try:
            self._set(enabled=False)
            self._drain()
            say("the promotion queue is stopped; transitions that are asked for now wait")
            yield
        finally:
            self.resume()
            say("the promotion queue is started")

    def resume(self) -> bool:
        """Start the queue if a backup or a restore has stopped it, and return whether one had. Can be repeated."""
        if self._note() is None:
            return False
        self._set(enabled=True)
        self._s3.delete_object(Bucket=self._stack.bucket, Key=NOTE)
        return True

    def _note(self) -> dict[str, Any] | None:
        if self._s3.list_objects_v2(Bucket=self._stack.bucket, Prefix=NOTE, MaxKeys=1).get("KeyCount", 0) == 0:
            return None
        note: dict[str, Any] = json.loads(self._s3.get_object(Bucket=self._stack.bucket, Key=NOTE)["Body"].read())
        return note

    def _refuse_another(self) -> None:
        """Raise MlopsError if another process may be copying the stack at this moment."""
        note = self._note()
        if note is None or (note["host"] == socket.gethostname() and not _runs(note["pid"])):
            return
        raise MlopsError(
            f"the process {note['pid']} of {note['host']} copies this stack since {note['at']}: wait for its end. If "
            "it was killed, run `mlops backup --resume-queue` first"
        )

    def _mapping(self) -> dict[str, Any]:
        function = self._stack["PromotionFunction"]
        mappings: list[dict[str, Any]] = self._lambda.list_event_source_mappings(FunctionName=function)[
            "EventSourceMappings"
        ]
        if len(mappings) != 1:
            raise MlopsError(f"{function} has {len(mappings)} event sources instead of one: deploy the stack again")
        return mappings[0]

    def _state(self) -> str:
        return str(self._mapping()["State"])

    def _set(self, *, enabled: bool) -> None:
        """Change the mapping and wait until it is so. While AWS changes it, it refuses further changes."""
        wanted = "Enabled" if enabled else "Disabled"
        deadline = time.monotonic() + DRAIN_SECONDS
        while (state := self._state()) != wanted:
            if time.monotonic() > deadline:
                raise MlopsError(
                    f"the promotion queue is still {state}: run `mlops backup --resume-queue` in some minutes"
                )
            if state in ("Enabled", "Disabled"):
                self._lambda.update_event_source_mapping(UUID=self._mapping()["UUID"], Enabled=enabled)
            time.sleep(PAUSE_SECONDS)

    def _drain(self) -> None:
        """Wait until no message is under way, several times in a row, because AWS's count is approximate."""
        attribute, quiet = "ApproximateNumberOfMessagesNotVisible", 0
        deadline = time.monotonic() + DRAIN_SECONDS
        while quiet < QUIET:
            answer = self._sqs.get_queue_attributes(QueueUrl=self._stack["PromotionQueue"], AttributeNames=[attribute])
            quiet = quiet + 1 if int(answer["Attributes"][attribute]) == 0 else 0
            if time.monotonic() > deadline:
                raise MlopsError("a transition does not end: look at `mlops history`, and try again when it has ended")
            time.sleep(PAUSE_SECONDS)


def _runs(pid: int) -> bool:
    """Return whether a process of this machine runs."""
    if pid == os.getpid():
        return False
    if os.name == "nt":  # there a signal 0 is one that ends something
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
