"""The history of a model as a chain: each entry has the hash of the one before, so a change of any of them shows.

The hash of an entry is the SHA-256 of its canonical JSON, which has its number and the hash before. The first entry is
the genesis: the hash of the transitions that had ended before there was a chain.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mlops.domain.timestamps import now
from mlops.domain.transition import Transition

GENESIS, TRANSITION, APPROVAL, SETTINGS, ROLLOUT = "genesis", "transition", "approval", "settings", "rollout"
KEY, BIN, DELETION = "key", "bin", "deletion"
"""The kinds of entries."""
NOTHING = "0" * 64
"""The hash before the first entry."""
PAST = (
    *("transition_id", "kind", "version", "stage", "status", "actor", "reason", "force", "from_stage"),
    *("replaced_version", "sha256", "gates", "error", "created_at", "completed_at"),
)
"""What the genesis hashes of each transition. It never changes, because the genesis is computed again later."""
OUTCOME = (*PAST, "actor_owner", "binding", "decisions", "comparison", "rollout_id")
"""What an entry has of a transition that has ended."""


class BrokenChain(Exception):
    """The history was changed, or a part of it is missing. The message says where."""


@dataclass(frozen=True)
class Entry:
    """An entry: its place in the chain, and its canonical JSON with the hash of it."""

    seq: int
    prev: str
    text: str
    sha256: str

    @classmethod
    def after(cls, head: "Head | None", kind: str, entry_id: str, detail: Mapping[str, Any]) -> "Entry":
        """Make the entry that follows the head of a chain; the first one if there is none."""
        seq, prev = (head.seq + 1, head.sha256) if head else (1, NOTHING)
        text = canonical({"seq": seq, "prev": prev, "at": now(), "kind": kind, "id": entry_id, "detail": detail})
        return cls(seq, prev, text, digest(text))

    @property
    def document(self) -> dict[str, Any]:
        """What the entry says. Raises BrokenChain: its text is not JSON."""
        try:
            document: dict[str, Any] = json.loads(self.text)
        except (ValueError, RecursionError) as error:
            raise BrokenChain(f"entry {self.seq} is not JSON") from error
        return document


@dataclass(frozen=True)
class Head:
    """The last entry of a chain: its number and its hash."""

    seq: int
    sha256: str


def canonical(value: Any) -> str:
    """Return the canonical JSON: sorted names, no spaces, and no numbers that JSON does not have."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(text: str) -> str:
    """Return the SHA-256 of a text in UTF-8, as hexadecimal digits."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def described(transition: Transition, names: Iterable[str] = OUTCOME) -> dict[str, Any]:
    """Return fields of a transition as its record has them. What is empty is null, so that filling it in shows too."""
    record = transition.to_record()
    return {name: record.get(transition.recorded_as(name)) or None for name in names}


def genesis_of(transitions: Iterable[Transition]) -> dict[str, Any]:
    """Return what the first entry says of the transitions before. `open` names those that were not over then."""
    known = sorted(transitions, key=lambda entry: entry.transition_id)
    past = [entry for entry in known if entry.completed_at and not entry.open]
    until = max((str(entry.completed_at) for entry in past), default="")
    still_open = [entry.transition_id for entry in known if entry.open]
    return {"until": until, "open": still_open, **_hashed(past)}


def _hashed(past: list[Transition]) -> dict[str, Any]:
    lines = "\n".join(canonical(described(entry, PAST)) for entry in past)
    return {"transitions": len(past), "sha256": digest(lines)}


def check_chain(entries: Iterable[Entry], head: Head | None) -> Head | None:
    """Check that entries follow each other up to the head, and return the head.

    Raises:
        BrokenChain: They do not. Names the first entry that is wrong.
    """
    last: Head | None = None
    for entry in entries:
        seq, prev = (last.seq + 1, last.sha256) if last else (1, NOTHING)
        if entry.seq != seq:
            raise BrokenChain(f"entry {seq} is missing")
        document = entry.document
        if (document.get("seq"), document.get("prev"), entry.prev) != (seq, prev, prev):
            raise BrokenChain(f"entry {seq} does not follow the entry before")
        if digest(entry.text) != entry.sha256:
            raise BrokenChain(f"entry {seq} was changed")
        last = Head(seq, entry.sha256)
    if last != head:
        raise BrokenChain(f"the chain ends at entry {last.seq if last else 0}, and not at its head")
    return head


def check_transitions(entries: Iterable[Entry], transitions: Iterable[Transition]) -> None:
    """Check that the transitions are what the entries of a whole chain say of them.

    Raises:
        BrokenChain: One was changed, or is missing. Names it.
    """
    recorded = {transition.transition_id: transition for transition in transitions}
    for entry in entries:
        document = entry.document
        detail = document["detail"]
        if document["kind"] == GENESIS:
            past = [
                recorded[name]
                for name in sorted(recorded)
                if str(recorded[name].completed_at or "~") <= detail["until"] and name not in detail["open"]
            ]
            if _hashed(past) != {name: detail[name] for name in ("transitions", "sha256")}:
                raise BrokenChain("a transition from before the chain was changed, or is missing")
        elif document["kind"] == TRANSITION:
            transition = recorded.get(document["id"])
            if transition is None:
                raise BrokenChain(f"the transition {document['id']} of entry {entry.seq} is missing")
            if canonical(described(transition, detail)) != canonical(detail):
                raise BrokenChain(f"the transition {document['id']} differs from entry {entry.seq}")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    return value
