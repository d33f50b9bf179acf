"""Models of trees as their paths from the roots to the leaves, and the part that each feature has in an answer.

The parts are Shapley values, where a feature of which nothing is known goes both ways at a split, by the shares of the
training's rows that did (TreeSHAP, path-dependent: Lundberg et al., Nature Machine Intelligence 2, 2020). A leaf adds
its value v if the row meets the conditions of all D features on its path. With o = 1 where the row meets a feature's
conditions and 0 where not, and z the share of the training's rows that did, feature j gets of the leaf

    v (o_j − z_j) ∫₀¹ Π_{i≠j} (z_i + (o_i − z_i) t) dt

The integrand is a polynomial of degree D − 1, which Gauss and Legendre's rule with ⌈D/2⌉ nodes integrates exactly.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from mlops_contract.agreement import Array

MAX_WORK = 400_000
"""Leaves times the most features on a path. More would take predict longer than a caller waits for an answer."""
_LEAST = 1e-300
"""Instead of a factor of zero, by which a product could not be divided."""
_TYPES: dict[str, Any] = {
    "start": np.float64,
    "lengths": np.int32,
    "values": np.float64,
    "targets": np.int32,
    "feature": np.int32,
    "low": np.float32,
    "high": np.float32,
    "missing": np.bool_,
    "share": np.float64,
    "members": np.int32,
    "sets": np.uint8,
    "strict": np.bool_,
}


@dataclass(frozen=True, eq=False)
class _Group:
    """Leaves of one output whose paths ask the same number of features; all arrays but `values` are `[length, leaves]`.

    Attributes:
        values: float64 `[leaves]`.
    """

    values: Array
    feature: Array
    low: Array
    high: Array
    missing: Array
    share: Array
    members: Array

    @property
    def expected(self) -> float:
        """The sum of the leaves if nothing is known of a row."""
        return float(self.values @ self.share.prod(axis=0))


@dataclass(frozen=True, eq=False)
class TreePaths:
    """The paths of all trees, those that ask the fewest features first.

    Attributes:
        start: What is added to the sums of the leaves, float64 `[outputs]`.
        lengths: How many features each path asks, int32 `[leaves]`, ascending.
        values: What each leaf adds, float64 `[leaves, outputs]`; or `[leaves, 1]`, to its target.
        targets: The output that a leaf of one value adds to, int32 `[leaves]`.
        feature: What each condition asks, int32 `[conditions]`: those of a path stand together, one for each feature.
        low: The value must be above it, float32 `[conditions]`.
        high: The value must be at most it, likewise.
        missing: Whether NaN meets the condition, bool.
        share: The share of the training's rows that did, of those that met the splits above, float64.
        members: The set of codes that meet it, for a category; −1 where numbers are compared, int32.
        sets: Bits, one for each code, and the last for all codes beyond, uint8 `[sets, bytes]`.
        strict: Whether a value must be at least `low` and below `high` instead.
    """

    start: Array
    lengths: Array
    values: Array
    targets: Array
    feature: Array
    low: Array
    high: Array
    missing: Array
    share: Array
    members: Array
    sets: Array
    strict: bool = False
    _groups: dict[int, tuple[_Group, ...]] = field(init=False, default_factory=dict, repr=False)

    @property
    def outputs(self) -> int:
        return len(self.start)

    @property
    def features(self) -> int:
        return int(self.feature.max(initial=-1)) + 1

    @property
    def work(self) -> int:
        return len(self.lengths) * int(self.lengths.max(initial=1))

    @cached_property
    def base(self) -> Array:
        sums = [sum(group.expected for group in self._groups_of(output)) for output in range(self.outputs)]
        return np.asarray(self.start + np.array(sums))

    def scores(self, row: Array) -> Array:
        sums = [
            sum(float(group.values[self._met(group, row).all(axis=0)].sum()) for group in self._groups_of(output))
            for output in range(self.outputs)
        ]
        return np.asarray(self.start + np.array(sums))

    def parts(self, row: Array, output: int) -> Array:
        total = np.zeros(len(row))
        for group in self._groups_of(output):
            if not len(group.feature):
                continue
            steps = self._met(group, row) - group.share
            integrals = np.zeros_like(steps)
            for node, weight in _nodes(len(steps)):
                factors = np.maximum(group.share + node * steps, _LEAST)
                integrals += (weight * factors.prod(axis=0)) / factors
            parts = group.values * steps * integrals
            total += np.bincount(group.feature.reshape(-1), parts.reshape(-1), minlength=len(row))
        return total

    def scaled(self, slope: float, offsets: Array) -> "TreePaths":
        return replace(self, values=slope * self.values, start=slope * self.start + offsets)

    def arrays(self) -> Mapping[str, Array]:
        return {name: np.asarray(getattr(self, name), kind) for name, kind in _TYPES.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> "TreePaths":
        """Read it. Raises ValueError if the arrays do not fit each other."""
        typed: dict[str, Any] = {name: np.asarray(arrays[name], kind) for name, kind in _TYPES.items()}
        paths = cls(**{**typed, "strict": bool(typed["strict"])})
        leaves, conditions = len(paths.lengths), len(paths.feature)
        by_condition = (paths.low, paths.high, paths.missing, paths.share, paths.members)
        fits = (
            paths.lengths.min(initial=0) >= 0
            and not (np.diff(paths.lengths) < 0).any()
            and int(paths.lengths.sum()) == conditions == max(map(len, by_condition)) == min(map(len, by_condition))
            and paths.values.shape in ((leaves, 1), (leaves, paths.outputs))
            and paths.targets.shape == (leaves,)
            and np.isin(paths.targets, np.arange(paths.outputs)).all()
            and paths.feature.min(initial=0) >= 0
            and paths.sets.ndim == 2
            and paths.members.max(initial=-1) < len(paths.sets)
        )
        if not fits:
            raise ValueError("the arrays of the paths do not fit each other")
        if paths.work > MAX_WORK:
            raise ValueError(f"its paths take {paths.work:,} steps, and at most {MAX_WORK:,} are possible in time")
        return paths

    def _groups_of(self, output: int) -> tuple[_Group, ...]:
        if output not in self._groups:
            self._groups[output] = tuple(self._grouped(output))
        return self._groups[output]

    def _grouped(self, output: int) -> Iterator[_Group]:
        each_has_all = self.values.shape[1] == self.outputs
        ends = np.cumsum(self.lengths, dtype=np.int64)
        for length in np.unique(self.lengths).tolist():
            leaves = np.flatnonzero(self.lengths == length)
            if not each_has_all:
                leaves = leaves[self.targets[leaves] == output]
            values = self.values[leaves, output if each_has_all else 0]
            conditions = (ends[leaves] - length) + np.arange(length)[:, None]
            yield _Group(
                values,
                *(
                    np.ascontiguousarray(each[conditions])
                    for each in (self.feature, self.low, self.high, self.missing, self.share, self.members)
                ),
            )

    def _met(self, group: _Group, row: Array) -> Array:
        """Return which conditions the row meets, bool `[length, leaves]`."""
        asked = row[group.feature]
        if self.strict:
            met = (asked >= group.low) & (asked < group.high)
        else:
            met = (asked > group.low) & (asked <= group.high)
        if len(self.sets):
            of_set = group.members >= 0
            met[of_set] = self._is_member(asked[of_set], group.members[of_set])
        gone = np.isnan(asked)
        met[gone] = group.missing[gone]
        return np.asarray(met)

    def _is_member(self, asked: Array, members: Array) -> Array:
        last = 8 * self.sets.shape[1] - 1
        known = (asked >= 0) & (asked < last)
        codes = np.where(known, asked, last).astype(np.int64)
        bits = (self.sets[members, codes >> 3] >> (codes & 7).astype(np.uint8)) & 1
        return np.asarray(bits != 0)


def _nodes(length: int) -> list[tuple[float, float]]:
    """Return nodes in 0..1 and their weights, by which polynomials of degree length − 1 are integrated exactly."""
    nodes, weights = np.polynomial.legendre.leggauss((length + 1) // 2)
    return list(zip(((nodes + 1) / 2).tolist(), (weights / 2).tolist(), strict=True))
