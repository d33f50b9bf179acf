"""Conditions on runs, such as `metrics.f1 > 0.9`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mlops_client.errors import BadInput

if TYPE_CHECKING:
    from mlops_client.models import RunRow

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    "=": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
_CONDITION = re.compile(r"\s*(metrics|params)\.(.+?)\s*(>=|<=|!=|=|>|<)\s*(.+?)\s*")


def all_of(texts: Sequence[str]) -> Callable[[RunRow], bool]:
    """Return whether all conditions are true of a run. Raises BadInput: one of them is no condition."""
    conditions = [_condition(text) for text in texts]
    return lambda run: all(condition(run) for condition in conditions)


def _condition(text: str) -> Callable[[RunRow], bool]:
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise BadInput(f"--where {text!r}: expected a condition such as 'metrics.f1 > 0.9' or params.model_type=mlp")
    kind, name, sign, value = found.groups()
    compare, wanted = _OPERATORS[sign], _number(value)
    if wanted is None and (kind == "metrics" or sign not in ("=", "!=")):
        raise BadInput(f"--where {text!r}: {value!r} is not a number; texts are compared with = and != only")
    name = name.strip('`"')

    def is_true(run: RunRow) -> bool:
        if kind == "metrics":
            return name in run.metrics and compare(run.metrics[name], wanted)
        if name not in run.params:
            return False
        own = _number(run.params[name])
        return compare(run.params[name], value) if own is None or wanted is None else compare(own, wanted)

    return is_true


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
