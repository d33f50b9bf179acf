"""The coded matrix as the numbers that an estimator takes: a transform that is fitted, and the same as ONNX.

What is done is fixed when it is fitted, and is the same in numpy, in torch and in ONNX: a few nodes, however many
columns there are. All of it is float32, so that an estimator is fitted to exactly what it is later asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from trainer.data import Feature

if TYPE_CHECKING:
    from onnx import NodeProto

EXPANDED = "expanded"
MISSING = -1.0
"""The code of a missing category while codes are compared."""
TREE_LEVELS = 16
"""Trees ask for a single level of categories with at most this many, and for an interval of codes of others."""
_NARROWEST = 1e-7
"""A deviation below this share of the mean is float32's rounding, not variation."""

Larger = Literal["capped", "kept", "left out"]


@dataclass(frozen=True, eq=False)
class Expansion:
    """A fitted transform from float32 `[n, features]` to float32 `[n, width]`.

    The parts of a row stand in this order: features as they are, standardised numbers, flags for missing numbers, flags
    for categories.

    Attributes:
        features: The width of the coded matrix.
        kept: Positions of the features that stay as they are, int64 `[a]`.
        scaled: Positions of the standardised numbers, int64 `[b]`.
        mean: Their means in training, which replace missing values, float32 `[b]`.
        deviation: Their standard deviations, float32 `[b]`.
        flagged: Positions of the numbers with a flag for missing values, int64 `[c]`.
        compared: For each flag of a category the position of its feature, int64 `[d]`.
        low: The lowest code for which the flag is 1, float32 `[d]`.
        high: The highest one, float32 `[d]`.
    """

    features: int
    kept: np.ndarray
    scaled: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    flagged: np.ndarray
    compared: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def is_identity(self) -> bool:
        """Whether it changes nothing."""
        return bool(np.array_equal(self.kept, np.arange(self.features))) and self.width == self.features

    @property
    def width(self) -> int:
        return sum(len(part) for part in (self.kept, self.scaled, self.flagged, self.compared))

    @property
    def sources(self) -> np.ndarray:
        """For each expanded position the position of the feature that it is made of, int64 `[width]`."""
        return np.concatenate([self.kept, self.scaled, self.flagged, self.compared])

    def unexpanded(self, thresholds: Mapping[int, np.ndarray]) -> dict[int, np.ndarray]:
        """Return the thresholds of trees behind the expansion for the features that stay as they are, by position."""
        return {int(self.kept[place]): values for place, values in thresholds.items() if place < len(self.kept)}

    def transform(self, inputs: np.ndarray) -> np.ndarray:
        """Return float32 `[n, width]` of `inputs` float32 `[n, features]`."""
        if self.is_identity:
            return inputs
        numbers, codes = inputs[:, self.scaled], inputs[:, self.compared]
        codes = np.where(np.isnan(codes), np.float32(MISSING), codes)
        return np.concatenate(
            [
                inputs[:, self.kept],
                (np.where(np.isnan(numbers), self.mean, numbers) - self.mean) / self.deviation,
                np.isnan(inputs[:, self.flagged]).astype(np.float32),
                ((codes >= self.low) & (codes <= self.high)).astype(np.float32),
            ],
            axis=1,
            dtype=np.float32,
        )

    def nodes(self) -> "tuple[list[NodeProto], dict[str, np.ndarray]]":
        """Return the ONNX nodes from `inputs` to `expanded`, and their constants. None for the identity."""
        from trainer.models.graphs import INPUTS, node

        if self.is_identity:
            return [], {}
        nodes: list[NodeProto] = []
        constants: dict[str, np.ndarray] = {}
        parts: list[str] = []

        def gathered(part: str, positions: np.ndarray) -> str:
            constants[f"{part}_positions"] = positions.astype(np.int64)
            nodes.append(node("Gather", [INPUTS, f"{part}_positions"], f"{part}_values", axis=1))
            return f"{part}_values"

        def filled(part: str, values: str, filling: np.ndarray) -> str:
            constants[f"{part}_filling"] = filling
            nodes.append(node("IsNaN", [values], f"{part}_missing"))
            nodes.append(node("Where", [f"{part}_missing", f"{part}_filling", values], f"{part}_filled"))
            return f"{part}_filled"

        if len(self.kept):
            parts.append(gathered("kept", self.kept))
        if len(self.scaled):
            numbers = filled("scaled", gathered("scaled", self.scaled), self.mean)
            constants["scaled_deviation"] = self.deviation
            nodes.append(node("Sub", [numbers, "scaled_filling"], "scaled_centred"))
            nodes.append(node("Div", ["scaled_centred", "scaled_deviation"], "scaled"))
            parts.append("scaled")
        if len(self.flagged):
            nodes.append(node("IsNaN", [gathered("flagged", self.flagged)], "flagged_missing"))
            nodes.append(node("Cast", ["flagged_missing"], "flagged", to=1))
            parts.append("flagged")
        if len(self.compared):
            codes = filled("compared", gathered("compared", self.compared), np.array(MISSING, np.float32))
            constants["compared_low"], constants["compared_high"] = self.low, self.high
            nodes.append(node("GreaterOrEqual", [codes, "compared_low"], "compared_above"))
            nodes.append(node("LessOrEqual", [codes, "compared_high"], "compared_below"))
            nodes.append(node("And", ["compared_above", "compared_below"], "compared_within"))
            nodes.append(node("Cast", ["compared_within"], "compared", to=1))
            parts.append("compared")
        nodes.append(node("Concat", parts, EXPANDED, axis=1))
        return nodes, constants


def fit(
    inputs: np.ndarray, features: tuple[Feature, ...], *, standardise: bool, most_levels: int, larger: Larger
) -> Expansion:
    """Fit the transform to training rows.

    A category has a flag for each of its levels, one for any other value and one for a missing value.

    Args:
        inputs: The coded matrix, float32 `[n, features]`.
        features: One for each position; empty if all are numbers.
        standardise: Whether numbers get mean 0 and deviation 1, with the mean for missing values and a flag for them if
            training has some. Otherwise they stay as they are, NaN included.
        most_levels: Categories with more levels are "larger".
        larger: What becomes of them. Capped: flags for the most frequent levels, and all others are "any other value".
            Kept: the code stays as it is. Left out: somebody else sees to them.
    """
    numbers = [at for at in range(inputs.shape[1]) if not features or features[at].levels is None]
    categories = {at: len(feature.levels) for at, feature in enumerate(features) if feature.levels is not None}
    wide = [at for at, levels in categories.items() if levels > most_levels]
    flagged_categories = [at for at in categories if at not in wide or larger == "capped"]
    kept = ([] if standardise else numbers) + (wide if larger == "kept" else [])
    scaled = numbers if standardise else []
    moments = [_moments(inputs[:, at]) for at in scaled]
    intervals = [
        (at, low, high) for at in flagged_categories for low, high in _intervals(min(categories[at], most_levels))
    ]
    return Expansion(
        features=inputs.shape[1],
        kept=_positions(kept),
        scaled=_positions(scaled),
        mean=np.array([mean for mean, _ in moments], np.float32),
        deviation=np.array([deviation for _, deviation in moments], np.float32),
        flagged=_positions([at for at in scaled if np.isnan(inputs[:, at]).any()]),
        compared=_positions([at for at, _, _ in intervals]),
        low=np.array([low for _, low, _ in intervals], np.float32),
        high=np.array([high for _, _, high in intervals], np.float32),
    )


def for_trees(inputs: np.ndarray, features: tuple[Feature, ...]) -> Expansion:
    """Fit the transform for trees that split by thresholds only: numbers as they are, and the NaN of missing ones."""
    return fit(inputs, features, standardise=False, most_levels=TREE_LEVELS, larger="kept")


def unchanged(features: int) -> Expansion:
    """Return the transform that changes nothing, for a type that takes codes and missing values as they are."""
    none, nothing = _positions([]), np.zeros(0, np.float32)
    return Expansion(features, np.arange(features), none, nothing, nothing, none, none, nothing, nothing)


def _intervals(levels: int) -> list[tuple[float, float]]:
    """Return the lowest and the highest code of each flag: the levels, any other value, missing."""
    return [*((code, code) for code in range(levels)), (levels, np.inf), (MISSING, MISSING)]


def _moments(column: np.ndarray) -> tuple[float, float]:
    """Return mean and deviation of a column's values; 0 and 1 if it has none, and 1 if they do not vary."""
    values = column[~np.isnan(column)].astype(np.float64)
    if len(values) == 0:
        return 0.0, 1.0
    mean, deviation = float(values.mean()), float(values.std())
    return mean, deviation if deviation > 1e-12 + _NARROWEST * abs(mean) else 1.0


def _positions(positions: list[int]) -> np.ndarray:
    return np.array(positions, np.int64)
