"""Find the version that a rollback brings back, from the history of a model."""

from collections.abc import Iterable

from mlops.domain.stages import Stage
from mlops.domain.transition import Transition


def rollback_targets(productions: Iterable[Transition], present: int | None) -> list[int]:
    """Return the versions that a rollback can bring back, the first choice first.

    They were in Production before the current one, and each was replaced by a promotion of the next. A version that was
    rolled back from is not among them until it is promoted again, so a second rollback goes further back.

    Args:
        productions: The transitions that moved a version to Production, the oldest first.
        present: The version in Production; None if there is none. Then the last one that was in it comes first.
    """
    line: list[int] = []
    seen: set[int] = set()
    for transition in productions:
        version = transition.version
        if _is_rollback(transition) and version in seen:
            _roll_back(line, version, transition.replaced_version)
        if version in line:
            line.remove(version)
        line.append(version)
        seen.add(version)
    if present is not None and present in line:
        del line[line.index(present) :]
    return line[::-1]


def _roll_back(line: list[int], version: int, replaced: int | None) -> None:
    """Remove versions that were rolled back from."""
    if version in line:
        del line[line.index(version) + 1 :]
    elif replaced in line:  # back to a version that was rolled back from before
        del line[line.index(replaced) :]


def _is_rollback(transition: Transition) -> bool:
    """Return whether the transition brought a version back without the metric gate, whichever route requested it."""
    return transition.force and transition.from_stage is Stage.ARCHIVED
