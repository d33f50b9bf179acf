"""Cache answers, to repeat them byte for byte for the same body, within a limit of bytes.

An answer belongs to a model by the model's serial number, and each loaded model has a new number. So an old answer is
never repeated after a promotion, nothing has to be invalidated, and no answer keeps an old model in memory.
"""

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from predict.column_counts import RowCounts
    from predict.feedback import Kept

MAX_BYTES = 2 << 20
"""About 250 answers. More would hardly help, and would displace the model's weights from the processor's cache."""
MAX_ENTRY_BYTES = 64 << 10
"""Larger bodies (batches) hardly ever repeat, and would displace hundreds of small ones."""
IDLE_AFTER = 1000
"""Answers, one after the other, of which none repeated another. While that goes on, only one in IDLE_SHARE is kept:
keeping all would take one part in twenty of predict's time. After the first repetition all are kept again."""
IDLE_SHARE = 8
ENTRY_OVERHEAD = 700
"""Approximate size of Python's objects for an entry."""
STRIDE = 61
"""A body is found by its length and every 61st character, and then compared as a whole. Hashing all of it would take
four times as long, and most requests do not repeat. Bodies with the same key replace each other."""

Key = tuple[str, int, str]


class Answer(NamedTuple):
    """A response body, and the parts of the log line that depend on the request alone."""

    request_body: str
    serial: int
    model_name: str
    version: int | None  # that the request pinned
    body: str
    record: str
    kept: "Kept"
    rows: int
    counts: "RowCounts | None" = None


class AnswerCache:
    """The most recently used answers, by route and raw body."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        # The one used last is the last. To find its first, a dict walks over all that were removed before it.
        self._entries: OrderedDict[Key, tuple[Answer, int]] = OrderedDict()
        self._since_repeated = 0
        self.size = 0
        """Bytes held."""

    def get(self, key: Key, body: str) -> Answer | None:
        """Return the cached answer for exactly this body."""
        entry = self._entries.get(key)
        if entry is None or entry[0].request_body != body:
            return None
        self._entries.move_to_end(key)
        self._since_repeated = 0
        return entry[0]

    def put(self, key: Key, answer: Answer) -> None:
        """Cache an answer unless it is too large. The answers used longest ago are dropped for it."""
        self._since_repeated += 1
        if self._since_repeated > IDLE_AFTER and self._since_repeated % IDLE_SHARE:
            return
        size = _size(answer)
        if size > MAX_ENTRY_BYTES:
            return
        replaced = self._entries.pop(key, None)
        if replaced is not None:
            self.size -= replaced[1]
        self._entries[key] = answer, size
        self.size += size
        while self.size > self._max_bytes:
            self.size -= self._entries.popitem(last=False)[1][1]


def key_of(route: str, body: str) -> Key:
    """Return the cache key of `body`."""
    return route, len(body), body[::STRIDE]


def _size(answer: Answer) -> int:
    """Return the bytes that an entry takes; a str that is not ASCII takes up to four per character."""
    body = answer.request_body
    counts = len(answer.counts.fields) if answer.counts is not None else 0
    logged = len(answer.record) + len(answer.kept.fields) + counts
    return len(body) * (1 if body.isascii() else 4) + len(answer.body) + logged + ENTRY_OVERHEAD
