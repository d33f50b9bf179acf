"""Works the promotion queue off: which transitions a message brings to their end, and how each ends.

A message only says "up to here". Whatever of its model was asked for before and is still open comes first, so the order
holds even for transitions whose own message was lost, or went to the dead-letter queue in an outage.
"""

import os
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from mlops.aws.dynamodb import Item
from mlops.aws.eventbridge import Events
from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.errors import DependencyUnavailable, PlatformError
from mlops.domain.stages import ALIASES
from mlops.registry.rest import Tracking
from promotion.alias_repair import Mender, entry_id
from promotion.archive_tags import Shelf
from promotion.gate import GateSettings
from promotion.outages import outages
from promotion.serving_store import ServingStore
from promotion.transition_executor import Mover, Registry, Rejected

GIVE_UP_AFTER = timedelta(hours=24)

logger = Logger(child=True)


class Promoter:
    """`max_tries`: how often a transition may end in an error that nobody foresaw, or end the process."""

    def __init__(self, registry: Registry, events: Events, max_tries: int = 3) -> None:
        self._registry, self._events, self._max_tries = registry, events, max_tries
        self._transitions = registry.transitions
        self._mover = Mover(registry)
        self._mender = Mender(registry, self._mover)

    @classmethod
    def from_environment(cls) -> "Promoter":
        return _promoter()

    def handle(self, message: dict[str, Any]) -> None:
        """Carry out one message of the queue.

        Raises:
            DependencyUnavailable: something is down; what is queued stays queued, and the message comes again.
            Exception: unforeseen. The transition ends as failed with the last try, and the message goes to the
                dead-letter queue.
        """
        with outages():
            kind, model_name, until = message["kind"], message["model_name"], message["transition_id"]
            if kind == "cache_epoch":
                self._registry.serving.raise_cache_epoch(model_name, message["stage"], until)
            elif kind == "mend":
                self._mend(model_name, until)
            elif kind == "transition":
                self._end_all(model_name, until)
                self._end(model_name, until)
            else:
                raise ValueError(f"there is no kind of message {kind!r}")

    def _mend(self, model_name: str, message_id: str) -> None:
        """What is under way explains some differences, an earlier delivery of this message included, so it is ended
        first; whatever differs then is entered and ended, too."""
        last, entries = entry_id(message_id, "~"), [entry_id(message_id, alias) for alias in ALIASES.values()]
        self._end_all(model_name, last, surely=entries)
        if self._mender.record(model_name, message_id):
            self._end_all(model_name, last, surely=entries)
        self._mender.mirror(model_name)

    def _end_all(self, model_name: str, until: str, surely: list[str] | None = None) -> None:
        """End what is open before and between; the index lags a little, so `surely` is looked for by itself."""
        ids = {item["transition_id"] for item in self._transitions.still_open(model_name, until)}
        for transition_id in surely or []:
            if self._transitions.exists(model_name, transition_id):
                ids.add(transition_id)
        for transition_id in sorted(ids - {until}):
            self._end(model_name, transition_id)

    def _end(self, model_name: str, transition_id: str) -> None:
        item = self._transitions.begin(model_name, transition_id)
        if item["status"] != "queued":
            self._announce(item)
        elif item["tries"] > self._max_tries:
            # It did not come to its end, not even to a bad one: out of memory, or out of time.
            self._finish(item, "failed", {"error": f"It ended the process of promotion {self._max_tries} times"})
        else:
            self._try(item)

    def _try(self, item: Item) -> None:
        carry_out = self._mender.mend if item.get("kind") == "mend" else self._mover.move
        try:
            with outages():
                gates = carry_out(item)
        except Rejected as rejection:
            self._finish(item, "rejected", {"error": rejection.reason, "gates": rejection.gates})
        except DependencyUnavailable as outage:
            if not _too_old(item):
                # An outage is not the transition's fault.
                self._transitions.note(item["model_name"], item["transition_id"], {"tries": item["tries"] - 1})
                raise
            self._finish(item, "failed", {"error": f"Given up after 24 hours: {outage.detail}"})
        except PlatformError as refusal:
            # Once it was admitted the alias may have moved: that is no refusal that left everything as it was.
            status = "failed" if "admitted" in item else "rejected"
            self._finish(item, status, {"error": refusal.detail})
        except Exception:
            logger.exception("transition failed", transition_id=item["transition_id"])
            if item["tries"] >= self._max_tries:
                error = "An unexpected error; the log has it under the transition's id"
                self._finish(item, "failed", {"error": error})
            raise
        else:
            self._finish(item, "succeeded", {"gates": gates})

    def _finish(self, item: Item, status: str, values: Item) -> None:
        self._transitions.finish(item["model_name"], item["transition_id"], status, values)
        logger.info("transition ended", transition_id=item["transition_id"], status=status, model=item["model_name"])
        self._announce(self._transitions.get(item["model_name"], item["transition_id"]))

    def _announce(self, item: Item) -> None:
        """Tell EventBridge how the transition ended; it stays open until that is done."""
        if "open" in item:
            self._events.transition_ended(item)
            self._transitions.close(item["model_name"], item["transition_id"])


def _too_old(item: Item) -> bool:
    return datetime.now(UTC) - datetime.fromisoformat(item["created_at"]) > GIVE_UP_AFTER


@cache
def _promoter() -> Promoter:
    registry = Registry(
        Tracking.from_environment(),
        TransitionsTable.from_environment(),
        ServingStore.from_environment(),
        Shelf.from_environment(),
        GateSettings.from_environment(),
    )
    return Promoter(registry, Events.from_environment(), int(os.environ["MAX_RECEIVES"]))
