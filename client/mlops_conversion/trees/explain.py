"""What the answers of trees are explained by: their paths, from the same dumps as the ONNX model."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

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
    size = _set_size(forest)
    for tree in forest.trees:
        for path in _paths(tree, size):
            deepest = max(deepest, len(path.conditions))
            # Asked for each path, as the paths of a large forest take minutes to find.
            if leaves * deepest > MAX_WORK:
                raise NoExplanation(
                    f"its trees have {leaves:,} leaves, on whose paths up to {deepest} features or more are asked, and "
                    f"only {MAX_WORK:,} of the product can be explained in time; train fewer, smaller or flatter trees"
                )
            paths.append(path)
    return Explanation(_SUMS[output], _assembled(paths, forest), np.arange(features, dtype=np.int32))


class _Condition(NamedTuple):
    """What a path asks of one feature: an interval, or codes of a category. A model has tens of thousands of them.

    Attributes:
        codes: The codes that meet it as bits, and for the last one all codes beyond, uint8 `[size / 8]`; None if
            numbers are compared.
    """

    low: float = -np.inf
    high: float = np.inf
    missing: bool = True
    share: float = 1.0
    codes: Array | None = None


@dataclass(frozen=True, eq=False)
class _Path:
    """The way to a leaf: what it asks of each feature, the leaf's values, and its target."""

    conditions: Mapping[int, _Condition]
    values: Array
    target: int


_ANYTHING = _Condition()
"""What a path asks of a feature that no split above looks at."""


def _set_size(forest: Forest) -> int:
    """Return how many bits a set of codes has: one for each code, in whole bytes, and the last for all beyond."""
    members = [codes for tree in forest.trees for codes in tree.members.values()]
    return 8 * (max((int(codes.max(initial=0)) for codes in members), default=0) // 8 + 1) + 8


def _paths(tree: Tree, size: int) -> Iterator[_Path]:
    """Yield the paths of a tree, whose sets have so many bits. Raises NoExplanation."""
    if tree.left_share is None:
        raise NoExplanation("the model does not say how many of the training's rows took which branch")
    splits = list(
        zip(
            tree.feature.tolist(),
            tree.threshold.tolist(),
            tree.left.tolist(),
            tree.right.tolist(),
            tree.missing_left.tolist(),
            tree.left_share.tolist(),
            strict=True,
        )
    )
    pending: list[tuple[int, Mapping[int, _Condition]]] = [(0 if splits else -1, {})]
    while pending:
        place, conditions = pending.pop()
        if place < 0:
            yield _Path(conditions, tree.values[-1 - place], tree.target)
            continue
        feature, threshold, left, right, missing_left, share = splits[place]
        above = conditions.get(feature, _ANYTHING)
        # Of a number the threshold is the end of one interval and the start of the other one.
        low, high, left_codes, right_codes = above.low, above.high, above.codes, above.codes
        members = tree.members.get(place)
        if members is None:
            low, high = max(low, threshold), min(high, threshold)
        else:
            left_codes, right_codes = _parted(above.codes, members, size)
        to_left = _Condition(above.low, high, above.missing and missing_left, above.share * share, left_codes)
        to_right = _Condition(
            low, above.high, above.missing and not missing_left, above.share * (1 - share), right_codes
        )
        pending.append((left, {**conditions, feature: to_left}))
        pending.append((right, {**conditions, feature: to_right}))


def _parted(codes: Array | None, members: Array, size: int) -> tuple[Array, Array]:
    """Return the codes that are members, and those that are not, as bits; of all codes where `codes` is None."""
    flags = np.zeros(size, bool)
    flags[members] = True
    bits = np.packbits(flags, bitorder="little")
    return (bits, ~bits) if codes is None else (codes & bits, codes & ~bits)


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
    each = [None if condition.codes is None else condition.codes.tobytes() for condition in conditions]
    numbers = {bits: number for number, bits in enumerate(dict.fromkeys(bits for bits in each if bits is not None))}
    members = [-1 if bits is None else numbers[bits] for bits in each]
    sets = np.frombuffer(b"".join(numbers), np.uint8)
    return sets.reshape(len(numbers), len(sets) // max(len(numbers), 1)), np.array(members, np.int32)
