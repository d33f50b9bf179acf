"""Which version a rollback goes back to, by the history of a model."""

from collections.abc import Iterable

from mlops.domain.stages import Stage
from mlops.domain.transition import Transition


def rollback_targets(productions: Iterable[Transition], present: int | None) -> list[int]:
    """The versions that a rollback may go back to, the first choice first.

    They are those that were in Production before the present one, each replaced by a promotion of the next. A version
    that was rolled away from is none of them until somebody promotes it again, so a second rollback goes further back.

    Args:
        productions: The transitions that put a version into Production, the oldest first.
        present: The version in Production; None where none is. Then the last one that was comes first.
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
    """Take those out of the line of good versions that were rolled away from."""
    if version in line:
        del line[line.index(version) + 1 :]
    elif replaced in line:  # back to one that had been rolled away from itself
        del line[line.index(replaced) :]


def _is_rollback(transition: Transition) -> bool:
    """Whether the transition brought a version back past the metric gate, by whichever route it was asked for."""
    return transition.force and transition.from_stage is Stage.ARCHIVED
