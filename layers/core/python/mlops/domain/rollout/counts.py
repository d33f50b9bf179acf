"""What the requests of a rollout's phase have shown, as whole numbers that only grow. Standard library only."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

PARTS = 1000
"""What can be true of some rows of a request is counted in thousandths of a request."""
SHIFT_BINS = 20
"""Labels whose shares are compared: the first 19 of the model, and all others together."""
MAX_PHASE = 99
_ID = re.compile(r"ro_[0-9a-f]{20}")
GAINED, LOST = "g", "l"
_MOVED = frozenset(f"{way}{number}" for way in (GAINED, LOST) for number in range(SHIFT_BINS))


@dataclass(frozen=True)
class Counts:
    """Counts of requests.

    Attributes:
        requests: Of the model, whichever version answered.
        canary: That the challenger answered.
        asked: For which the challenger was asked, to answer or to be compared.
        failed: Of those, the requests that the champion could answer, and the challenger not.
        skipped: For which the challenger was to be asked, and was not loaded or had no time.
        pairs: That both versions have answered.
        disagreed: Of those, in thousandths: the share of a request's rows that were answered differently.
        slower: Of the pairs, those where the challenger took longer than the guardrail's ratio.
        unsure: Of the pairs, in thousandths: the share of rows of which the challenger was less sure by more than the
            guardrail's limit.
        moved: Of the pairs, in thousandths of a request: by how many rows more (`g3`) or fewer (`l3`) than the champion
            the challenger has answered with label 3. Of quantities `g0` are rows that it answered higher, `l0` lower.
        labelled: Rows that both versions have answered, and whose label is known.
        lost: Of those, the rows that only the champion answered right.
        won: Of those, the rows that only the challenger answered right.
    """

    requests: int = 0
    canary: int = 0
    asked: int = 0
    failed: int = 0
    skipped: int = 0
    pairs: int = 0
    disagreed: int = 0
    slower: int = 0
    unsure: int = 0
    labelled: int = 0
    lost: int = 0
    won: int = 0
    moved: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Counts":
        """Read counts. Missing ones are 0, and others are passed over."""
        counts: dict[str, Any] = {name: int(record.get(name) or 0) for name in NAMES}
        return cls(**counts | {"moved": {name: int(record[name]) for name in sorted(_MOVED & record.keys())}})

    def __add__(self, other: "Counts") -> "Counts":
        sums = Counts(**{name: getattr(self, name) + getattr(other, name) for name in NAMES})
        return replace(sums, moved=dict(Counter(self.moved) + Counter(other.moved)))


NAMES = tuple(entry.name for entry in fields(Counts) if entry.name != "moved")
LABELS = ("labelled", "lost", "won")
"""These are counted when labels come, and not with the lines of requests."""
_SHARES = {"disagreed", "unsure"} | _MOVED
_OF_LINES = {name for name in NAMES if name not in LABELS} | _MOVED


class Malformed(ValueError):
    """The field of a log line is not one that predict writes."""


def counts_of_line(entry: Any) -> tuple[tuple[str, int], dict[str, int]]:
    """Read the field `rollout` of a log line: the rollout's id and phase, and the counts of one request.

    Raises:
        Malformed: It is not such a field. A wrong one could decide about a rollout.
    """
    if not isinstance(entry, Mapping):
        raise Malformed("not an object")
    rollout_id, phase = entry.get("id"), entry.get("step")
    if not isinstance(rollout_id, str) or not _ID.fullmatch(rollout_id):
        raise Malformed("id")
    if type(phase) is not int or not 0 <= phase <= MAX_PHASE:
        raise Malformed("step")
    counts = {name: value for name, value in entry.items() if name in _OF_LINES}
    for name, value in counts.items():
        if type(value) is not int or not 0 <= value <= (PARTS if name in _SHARES else 1):
            raise Malformed(name)
    return (rollout_id, phase), counts


def total(counts: Iterable[Counts]) -> Counts:
    """Return the sum."""
    return sum(counts, Counts())
