"""What a fitted model says of the columns that it takes: their names, and by its first steps their size or text."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

_MAGNITUDES = (-2.0, 3.0)
"""Powers of ten. A number of which nothing is known may be a share or a salary."""


@dataclass(frozen=True)
class FittedColumn:
    """A column.

    Attributes:
        name: Its name, or its position if the model has no names.
        centre, spread: Around where its numbers were in training, if a scaler says it.
        levels: The values that an encoder knows, if there is one.
    """

    name: Any
    centre: float | None = None
    spread: float | None = None
    levels: tuple[Any, ...] = ()

    @property
    def says_much(self) -> bool:
        """Whether more than its name is known."""
        return bool(self.levels) or self.centre is not None

    def values(self, random: np.random.Generator, count: int) -> Any:
        """Return values as in training, as far as is known."""
        if self.levels:
            return np.array(self.levels, dtype=object)[random.integers(0, len(self.levels), count)]
        if self.centre is not None and self.spread is not None:
            return self.centre + self.spread * random.standard_normal(count)
        return random.standard_normal(count) * 10.0 ** random.uniform(*_MAGNITUDES, count)


def fitted_columns(model: Any) -> tuple[FittedColumn, ...] | None:
    """Return the columns of a model; None if it does not say how many it takes."""
    names = _names(model)
    if names is None:
        return None
    columns = {name: FittedColumn(name) for name in names}
    for step, taken in _first_steps(model, tuple(names)):
        for place, name in enumerate(taken):
            columns[name] = _described(columns[name], step, place)
    return tuple(columns.values())


def _names(model: Any) -> list[Any] | None:
    """Return the names of the columns of an estimator or a booster, or their positions."""
    count = getattr(model, "n_features_in_", None)
    named = getattr(model, "feature_names_in_", None)
    if callable(getattr(model, "feature_name", None)):  # LightGBM's Booster
        count, named = model.num_feature(), model.feature_name()
    elif callable(getattr(model, "num_features", None)):  # XGBoost's Booster
        count, named = model.num_features(), model.feature_names
    names = [str(name) for name in named] if named is not None else []
    # LightGBM gives columns without names these.
    if names and names != [f"Column_{place}" for place in range(len(names))]:
        return list(names)
    return list(range(int(count))) if count is not None else None


def _first_steps(step: Any, taken: Sequence[Any]) -> list[tuple[Any, Sequence[Any]]]:
    """Return the steps of scikit-learn that get columns as they are, each with the names of these columns."""
    if hasattr(step, "steps"):
        found: list[tuple[Any, Sequence[Any]]] = []
        for _, each in step.steps:
            found += _first_steps(each, taken)
            if each != "passthrough" and not _keeps_columns(each):
                break
        return found
    if hasattr(step, "transformers_"):
        return [
            entry
            for _, each, chosen in step.transformers_
            if each not in ("drop", "passthrough")
            for entry in _first_steps(each, _chosen(chosen, taken))
        ]
    return [(step, taken)]


def _keeps_columns(step: Any) -> bool:
    """Return whether what comes out of a step are the same columns, as of an imputer without an indicator."""
    return type(step).__name__.endswith("Imputer") and not getattr(step, "add_indicator", False)


def _chosen(chosen: Any, taken: Sequence[Any]) -> list[Any]:
    """Return the names of a ColumnTransformer's choice: names, positions, a mask or a slice."""
    if isinstance(chosen, str):
        return [chosen]
    if isinstance(chosen, slice):
        return list(taken[chosen])
    entries = [chosen] if np.ndim(chosen) == 0 else list(chosen)
    if entries and all(isinstance(entry, bool | np.bool_) for entry in entries):
        return [name for name, is_chosen in zip(taken, entries, strict=True) if is_chosen]
    return [entry if isinstance(entry, str) else taken[int(entry)] for entry in entries]


def _described(column: FittedColumn, step: Any, place: int) -> FittedColumn:
    """Add what a step says of its column at `place`."""
    categories = getattr(step, "categories_", None)
    if categories is not None and place < len(categories):
        return replace(column, levels=tuple(value for value in categories[place].tolist() if value == value))
    means, scales = getattr(step, "mean_", None), getattr(step, "scale_", None)
    if means is not None and scales is not None and place < len(means):
        return replace(column, centre=float(means[place]), spread=float(scales[place]))
    lows, highs = getattr(step, "data_min_", None), getattr(step, "data_max_", None)
    if lows is not None and highs is not None and place < len(lows):
        low, high = float(lows[place]), float(highs[place])
        return replace(column, centre=(low + high) / 2, spread=(high - low) / 4)
    return column
