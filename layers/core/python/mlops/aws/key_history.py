"""The history of API keys: which were made, changed, revoked, and removed when they had ended, as a chain.

Operators write the table of keys with their own credentials, and so could leave an entry out. So the entries are made
by comparing the table with what the chain says, and a key that somebody puts there by hand is in it too.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from mlops.aws.governance_table import GovernanceTable
from mlops.domain.access import Caller
from mlops.domain.history import KEY, Entry, Head
from mlops.domain.timestamps import from_milliseconds, now

CHAIN = "#keys"
"""In place of a model's name, which cannot begin so."""
MADE, CHANGED, REVOKED, EXPIRED = "made", "changed", "revoked", "expired"
LATER = "9999"
"""After each time that a key can end at. Times in this format are in the order of their texts."""


class KeyHistory:
    """The chain of keys in the table `GOVERNANCE_TABLE`."""

    def __init__(self, governance: GovernanceTable) -> None:
        self._governance = governance

    @classmethod
    def from_environment(cls) -> "KeyHistory":
        return cls(GovernanceTable.from_environment())

    def note(self, keys: Iterable[Caller]) -> list[str]:
        """Add an entry for each key that is not as the chain says, and return what these are: `made 3f9a`.

        Can be repeated, and done by several at once: an entry has the number of the key's entries in its id.

        Args:
            keys: All keys that there are now.

        Raises:
            DependencyUnavailable: Others kept writing at the same time.
        """
        known: dict[str, dict[str, Any]] = {}
        seen: Counter[str] = Counter()
        for detail in (entry.document["detail"] for entry in self._governance.entries(CHAIN) if entry.seq > 1):
            known[detail["key_id"]] = detail
            seen[detail["key_id"]] += 1
        noted = []
        present = {caller.key_id: _detail(caller) for caller in keys}
        for key_id in sorted(known.keys() | present.keys()):
            detail = _difference(known.get(key_id), present.get(key_id))
            if detail is not None:
                self._governance.append(CHAIN, KEY, f"{key_id}#{seen[key_id] + 1}", detail, dict)
                noted.append(f"{detail['change']} {key_id}")
        return noted

    def examined(self) -> tuple[list[Entry], Head | None, str | None]:
        """Return the entries without the first one, the head, and what is wrong with the chain; None if nothing is."""
        entries, head, problem = self._governance.examined(CHAIN)
        return entries[1:], head, problem


def _detail(caller: Caller) -> dict[str, Any]:
    return {
        "key_id": caller.key_id,
        "name": caller.name,
        "owner": caller.owner,
        "role": caller.role,
        "models": list(caller.models),
        **({} if caller.until is None else {"until": from_milliseconds(caller.until * 1000)}),
    }


def _difference(known: dict[str, Any] | None, present: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return what the next entry of a key says; None if there is nothing to say."""
    was = None if known is None or known["change"] in (REVOKED, EXPIRED) else known
    if was is None:
        return {"change": MADE, **present} if present is not None else None
    if present is None:
        has_ended = was.get("until", LATER) <= now()
        return {**was, "change": EXPIRED if has_ended else REVOKED}
    changed = {**present, "change": CHANGED}
    return None if {**was, "change": CHANGED} == changed else changed
