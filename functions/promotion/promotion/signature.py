"""What callers of a version would have to change if another one took its place: columns, inputs, labels, task."""

from collections.abc import Iterator
from typing import Protocol

from mlops.domain.model_description import ModelInput
from mlops_contract import Column, ColumnType, Contract, Task
from mlops_contract.values import limits

_LONGEST_LABELS = 200
MAX_CHANGES = 10
"""Changes that a result lists."""


class Described(Protocol):
    """The description of a model, which a file and a manifest both have."""

    @property
    def input(self) -> ModelInput | None: ...

    @property
    def labels(self) -> tuple[int | str, ...]: ...

    @property
    def contract(self) -> Contract | None: ...


def changes_for_callers(new: Described, old: Described, stage: str) -> str:
    """List what callers of the version in `stage` would have to change for the new one; empty if nothing.

    Of table models the new one must take every row that the old one takes. So a new column that rows may lack, a column
    that may now be null, or one of whole numbers that now takes any number, is no change for callers.
    """
    changes = list(_changes(new, old, stage))
    more = f"; and {len(changes) - MAX_CHANGES} more" if len(changes) > MAX_CHANGES else ""
    return "; ".join(changes[:MAX_CHANGES]) + more


def _changes(new: Described, old: Described, stage: str) -> Iterator[str]:
    if _task(new) is not _task(old):
        yield f"it predicts {_predicted(new)}, and the version in {stage} {_predicted(old)}"
        return
    if new.contract is not None and old.contract is not None:
        yield from _columns(new.contract, old.contract, stage)
    elif new.input is not None and old.input is not None:
        if new.input.features != old.input.features:
            yield f"{new.input.features} features, and the version in {stage} has {old.input.features}"
        if new.input.image != old.input.image:
            yield f"images of {_size(new.input)}, and the version in {stage} has {_size(old.input)}"
    elif not _takes_vectors(new, old):
        yield f"{_inputs(new)}, and the version in {stage} takes {_inputs(old)}"
    if new.labels != old.labels:
        yield f"the labels {_listed(new.labels)}, and the version in {stage} has {_listed(old.labels)}"


def _columns(new: Contract, old: Contract, stage: str) -> Iterator[str]:
    before = {column.name: column for column in old.columns}
    names = {column.name for column in new.columns}
    for name in before:
        if name not in names:
            yield f"it does not take the column {name!r}"
    for column in new.columns:
        if column.name in before:
            yield from _column(column, before[column.name], stage)
        elif not column.absent_ok:
            yield f"it needs the column {column.name!r}, which the version in {stage} does not have"
    common = [column.name for column in new.columns if column.name in before]
    if old.takes_lists and common != [name for name in before if name in names]:
        yield "the columns have another order, in which lists of numbers would be read"


def _column(new: Column, old: Column, stage: str) -> Iterator[str]:
    if new.type is not old.type and (old.type, new.type) != (ColumnType.LONG, ColumnType.DOUBLE):
        yield f"the column {new.name!r} is {new.type}, and {old.type} in {stage}"
        return
    if old.absent_ok and not new.absent_ok:
        yield f"rows must have the column {new.name!r}"
    if old.null_ok and not new.null_ok:
        yield f"the column {new.name!r} must not be null"
    if new.closed and not _covers(new, old):
        yield f"the column {new.name!r} takes fewer values"


def _covers(new: Column, old: Column) -> bool:
    """Return whether a closed column takes all values that the old one takes."""
    if new.type is ColumnType.STRING:
        return old.closed and set(old.levels or ()) <= set(new.levels or ())
    (low, high), (old_low, old_high) = limits(new), limits(old)
    return low <= old_low and old_high <= high


def _takes_vectors(new: Described, old: Described) -> bool:
    """Return whether a table of numbers takes the place of vectors: it takes them as well, in the same places."""
    if new.contract is None or old.input is None or old.input.image is not None:
        return False
    closed = any(column.closed for column in new.contract.columns)
    return new.contract.takes_lists and not closed and len(new.contract.columns) == old.input.features


def _task(described: Described) -> Task:
    return described.contract.task if described.contract is not None else Task.CLASSIFICATION


def _predicted(described: Described) -> str:
    return "a quantity" if _task(described) is Task.REGRESSION else "classes"


def _inputs(described: Described) -> str:
    if described.contract is not None:
        return f"rows of {len(described.contract.columns)} named columns"
    assert described.input is not None
    kind = f"images of {_size(described.input)}" if described.input.image else "vectors"
    return f"{kind} with {described.input.features} features"


def _size(model_input: ModelInput) -> str:
    return "×".join(map(str, model_input.image)) if model_input.image else "no size"


def _listed(labels: tuple[int | str, ...]) -> str:
    text = ", ".join(map(repr, labels))
    return text if len(text) <= _LONGEST_LABELS else f"{text[:_LONGEST_LABELS]}… ({len(labels)})"
