"""What the answers of trees are explained by: their paths, from the same dumps as the ONNX model."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from mlops_contract.explanations import Explanation, NoExplanation, Sum
from mlops_contract.tree_paths import MAX_WORK, TreePaths
from mlops_conversion.trees.forest import Array, Forest, Output, Tree

MOST_VALUES = 2_000_000
"""Leaves times outputs: 16 MB as doubles."""
_SUMS = {
    Output.QUANTITY: Sum.VALUE,
    Output.LOG_QUANTITY: Sum.LOG_VALUE,
    Output.SHARES: Sum.PROBABILITY,
    Output.LOGIT: Sum.LOG_ODDS,
    Output.LOGITS: Sum.SCORE,
}
_INFINITY = np.float32(np.inf)


def explanation(forest: Forest, features: int, output: Output) -> Explanation:
    """Return how the answers of a forest are explained, by its features.

    Raises:
        NoExplanation: It has too many leaves, or does not say how many rows took which branch.
    """
    leaves = sum(len(tree.values) for tree in forest.trees)
    if leaves * forest.trees[0].values.shape[1] > MOST_VALUES:
        raise NoExplanation(f"{leaves:,} leaves with a value for each class are too many; train fewer or smaller trees")
    paths: list[_Path] = []
    deepest = 1
    for tree in forest.trees:
        for path in _paths(tree):
            deepest = max(deepest, len(path.conditions))
            # Asked for each path, as the paths of a large forest take minutes to find.
            if leaves * deepest > MAX_WORK:
                raise NoExplanation(
                    f"its trees have {leaves:,} leaves, on whose paths up to {deepest} features or more are asked, and "
                    f"only {MAX_WORK:,} of the product can be explained in time; train fewer, smaller or flatter trees"
                )
            paths.append(path)
    return Explanation(_SUMS[output], _assembled(paths, forest), np.arange(features, dtype=np.int32))


@dataclass(frozen=True, eq=False)
class _Condition:
    """What a path asks of one feature: an interval, or codes of a category.

    Attributes:
        codes: The codes that meet it, and for the last place all codes beyond, bool; None if numbers are compared.
    """

    low: np.float32 = -_INFINITY
    high: np.float32 = _INFINITY
    missing: bool = True
    share: float = 1.0
    codes: Array | None = None


@dataclass(frozen=True, eq=False)
class _Path:
    """The way to a leaf: what it asks of each feature, the leaf's values, and its target."""

    conditions: dict[int, _Condition]
    values: Array
    target: int


def _paths(tree: Tree) -> Iterator[_Path]:
    """Yield the paths of a tree. Raises NoExplanation."""
    if tree.left_share is None:
        raise NoExplanation("the model does not say how many of the training's rows took which branch")
    size = 8 * (max((int(codes.max(initial=0)) for codes in tree.members.values()), default=0) // 8 + 1) + 8
    pending: list[tuple[int, dict[int, _Condition]]] = [(0 if tree.splits else -1, {})]
    while pending:
        place, conditions = pending.pop()
        if place < 0:
            yield _Path(conditions, tree.values[-1 - place], tree.target)
            continue
        feature = int(tree.feature[place])
        above = conditions.get(feature, _Condition())
        for is_left, child in ((True, tree.left[place]), (False, tree.right[place])):
            narrowed = _narrowed(above, tree, place, is_left, size)
            pending.append((int(child), {**conditions, feature: narrowed}))


def _narrowed(above: _Condition, tree: Tree, place: int, is_left: bool, size: int) -> _Condition:
    """Return the condition of a feature after one more split."""
    assert tree.left_share is not None
    share = float(tree.left_share[place])
    condition = replace(
        above,
        missing=above.missing and bool(tree.missing_left[place]) == is_left,
        share=above.share * (share if is_left else 1 - share),
    )
    members = tree.members.get(place)
    if members is not None:
        codes = np.zeros(size, bool)
        codes[members] = True
        codes = codes if is_left else ~codes
        return replace(condition, codes=codes if above.codes is None else codes & above.codes)
    threshold = tree.threshold[place]
    if is_left:
        return replace(condition, high=min(condition.high, threshold))
    return replace(condition, low=max(condition.low, threshold))


def _assembled(paths: list[_Path], forest: Forest) -> TreePaths:
    paths = sorted(paths, key=lambda path: len(path.conditions))
    features = [feature for path in paths for feature in path.conditions]
    conditions = [condition for path in paths for condition in path.conditions.values()]
    sets, members = _sets(conditions)
    return TreePaths(
        start=forest.base.astype(np.float64),
        lengths=np.array([len(path.conditions) for path in paths], np.int32),
        values=np.array([path.values for path in paths], np.float64),
        targets=np.array([path.target for path in paths], np.int32),
        feature=np.array(features, np.int32),
        low=np.array([condition.low for condition in conditions], np.float32),
        high=np.array([condition.high for condition in conditions], np.float32),
        missing=np.array([condition.missing for condition in conditions], bool),
        share=np.array([condition.share for condition in conditions], np.float64),
        members=members,
        sets=sets,
        strict=forest.strict,
    )


def _sets(conditions: list[_Condition]) -> tuple[Array, Array]:
    """Return the different sets of codes, as bits, and the set of each condition; −1 for those that compare."""
    sized = [condition.codes for condition in conditions if condition.codes is not None]
    size = max(map(len, sized), default=0)
    # The last place stands for all codes beyond, so a longer set repeats it.
    packed = [
        np.packbits(np.pad(codes, (0, size - len(codes)), "edge"), bitorder="little").tobytes() for codes in sized
    ]
    numbers = {bits: number for number, bits in enumerate(dict.fromkeys(packed))}
    each = iter(packed)
    members = [-1 if condition.codes is None else numbers[next(each)] for condition in conditions]
    sets = np.frombuffer(b"".join(numbers), np.uint8).reshape(len(numbers), size // 8)
    return sets, np.array(members, np.int32)
