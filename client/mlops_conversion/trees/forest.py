"""Trees of any library in one form: splits, leaves, and what their sum means."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


class Output(Enum):
    """What the sum of the trees is, and so what the model answers."""

    QUANTITY = auto()
    """The prediction itself."""
    LOG_QUANTITY = auto()
    """The logarithm of the prediction."""
    SHARES = auto()
    """The probabilities of the classes."""
    LOGIT = auto()
    """The log-odds of the second of two classes."""
    LOGITS = auto()
    """The logits of the classes, for softmax."""


@dataclass(frozen=True, eq=False)
class Tree:
    """A tree. A row begins at split 0, and goes left if its value is at most the threshold or among the members.

    Attributes:
        feature: The position that each split looks at, int64 `[splits]`.
        threshold: Its threshold, float32 `[splits]`; not used where there are members.
        left: The next split, or the leaf `i` as `-1 - i`, int64 `[splits]`.
        right: Likewise.
        missing_left: Whether NaN goes left, bool `[splits]`.
        values: What each leaf adds to the outputs, float64 `[leaves, outputs]`.
        members: For each split by category, the codes that go left.
        target: If the leaves have one value, the output that they add to.
        left_share: The share of the training's rows that went left at each split, of those that came to it, float64
            `[splits]`; None if the model does not say it.

    A tree without a split has one leaf.
    """

    feature: Array
    threshold: Array
    left: Array
    right: Array
    missing_left: Array
    values: Array
    members: Mapping[int, Array] = field(default_factory=dict)
    target: int = 0
    left_share: Array | None = None

    @classmethod
    def from_nodes(
        cls,
        *,
        leaf: Array,
        feature: Array,
        threshold: Array,
        left: Array,
        right: Array,
        missing_left: Array,
        values: Array,
        members: Mapping[int, Array] | None = None,
        target: int = 0,
        cover: Array | None = None,
    ) -> "Tree":
        """Build a tree from a table in which splits and leaves are rows alike, and the root is the first.

        Args:
            leaf: Which rows are leaves, bool `[nodes]`.
            feature: As the attribute, for each row; ignored for leaves, as are the next four.
            threshold: Likewise, float32.
            left: The row of the left child.
            right: The row of the right child.
            missing_left: As the attribute.
            values: float64 `[nodes, outputs]`; ignored for splits.
            members: As the attribute, by row.
            target: As the attribute.
            cover: How many of the training's rows came to each row of the table, or their weight.
        """
        leaf = np.asarray(leaf, bool)
        # The place of each row among its kind; leaves count down from -1.
        place = np.where(leaf, -np.cumsum(leaf), np.cumsum(~leaf) - 1)
        split = np.flatnonzero(~leaf)
        return cls(
            feature=np.asarray(feature, np.int64)[split],
            threshold=np.asarray(threshold, np.float32)[split],
            left=place[np.asarray(left, np.int64)[split]],
            right=place[np.asarray(right, np.int64)[split]],
            missing_left=np.asarray(missing_left, bool)[split],
            values=np.asarray(values, np.float64)[leaf],
            members={int(place[row]): codes for row, codes in (members or {}).items()},
            target=target,
            left_share=None if cover is None else left_share(cover[split], cover[np.asarray(left, np.int64)[split]]),
        )

    @property
    def splits(self) -> int:
        """The number of splits."""
        return len(self.feature)


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees whose leaves are summed.

    Attributes:
        trees: At least one.
        base: What is added to the sum, float64 `[outputs]`; zero where the sum is probabilities.
        strict: Whether a value equal to the threshold goes right.
    """

    trees: tuple[Tree, ...]
    base: Array
    strict: bool = False

    @property
    def outputs(self) -> int:
        """The number of values that the sum has."""
        return len(self.base)

    def thresholds(self) -> dict[int, Array]:
        """Return the thresholds of each feature that a split compares, sorted and once each, float32.

        Infinite ones, which part only what is missing from the rest, are not among them.
        """
        compared = [_compared(tree) for tree in self.trees]
        features = np.concatenate([tree.feature[rows] for tree, rows in zip(self.trees, compared, strict=True)])
        values = np.concatenate([tree.threshold[rows] for tree, rows in zip(self.trees, compared, strict=True)])
        return {int(feature): np.unique(values[features == feature]) for feature in np.unique(features)}


def left_share(cover: Array, left: Array) -> Array:
    """Return the share of the training's rows that went left at splits, of as many as came there.

    It is a half where none came: a booster weighs rows that it is sure of with next to nothing.
    """
    came, went = np.asarray(cover, np.float64), np.asarray(left, np.float64)
    shares = np.divide(went, came, out=np.full(len(came), 0.5), where=came > 0)
    return np.asarray(np.clip(shares, 0.0, 1.0))


def _compared(tree: Tree) -> Array:
    """Return the splits of a tree that have a finite threshold."""
    finite = np.isfinite(tree.threshold)
    finite[list(tree.members)] = False
    return np.flatnonzero(finite)


def rounded_down(thresholds: Array) -> Array:
    """Return the largest float32 that is not above each threshold.

    A float32 is at most a double exactly if it is at most this; the nearest float32 may be above the double, and then
    a value between the two takes the other branch.
    """
    doubles = np.asarray(thresholds, np.float64)
    with np.errstate(over="ignore"):  # beyond float32 they become infinite, and then step back
        nearest = doubles.astype(np.float32)
    return np.where(nearest > doubles, np.nextafter(nearest, np.float32(-np.inf)), nearest)
