"""The counts of predictions by hour, version and stage: whole numbers by name, which can be added.

All counts are whole numbers (confidence in millionths, latency in microseconds, signals in thousandths), so a sum is
exact in any order of addition.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mlops.domain.drift.divergence import Moments
from mlops_contract.confidence_bins import BINS as BINS_OF_CONFIDENCE
from mlops_contract.confidence_bins import TENTHS, bin_of

BINS = 10
BLOCKS = 49
HISTOGRAMS = {"confidence": "c", "mean_intensity": "i", "ink_share": "k"}
"""Histograms with ten equal bins from 0 to 1, as in the reference, and the letter in the names of their counts."""
LATENCY_EDGES_MS = (1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000)
LIFETIME_NAMES = ("n", "r", "h", "cs", "ls")
"""Also counted over a version's whole life, with classes, confidence and latency, for Prometheus."""
TOP_BINS = BINS_OF_CONFIDENCE - TENTHS
"""Finer bins of the confidences from 0.9 on, from which an accuracy is estimated."""
KEPT = "f"
"""Predictions whose answers are kept until their labels are known. predict's lines say which."""
PERMILLE = 1000
REGRESSION = "regression"
"""The `task` in the lines of models that predict a quantity. They have `n`, and neither labels nor confidences."""
_BLOCK_NAMES = [(f"s{block:02}", f"q{block:02}") for block in range(BLOCKS)]
MILLION = 1_000_000

Counts = Counter[str]


def top_bin_name(place: int) -> str:
    """Return the name of the count of a finer bin."""
    return f"d{place}"


class Malformed(ValueError):
    """The line does not have the form that predict writes. The message says what is wrong."""


def counts_of(line: Mapping[str, Any]) -> Counts:
    """Return the counts of the log line of one answered request. Raises Malformed.

    `n` predictions, `r` requests, `h` answers from the cache, `p:<label>` by class, `c0`…`c9` by confidence, `d0`…`d9`
    finer from 0.9 on, `cs` and `cq` its sum and sum of squares, `l0`…`l10` requests by latency, `ls` its sum. Of
    images: `i0`…`i9` mean intensity, `k0`…`k9` share of ink, `m` their number, and `s00`…`s48`, `q00`…`q48` the sums
    and squares of the block means.
    """
    n = line.get("n")
    if type(n) is not int or n < 1:
        raise Malformed("n is not a positive number")
    counts: Counts = Counter({"n": n, "r": 1})
    if line.get("cache") == "hit":
        counts["h"] = 1
    if line.get("task") != REGRESSION:
        counts.update(_class_counts(line, n))
    latency = _number(line.get("latency_ms"), "latency_ms", 1e7)
    counts[f"l{bisect_left(LATENCY_EDGES_MS, latency)}"] += 1
    counts["ls"] += round(latency * 1000)
    signals = line.get("signals_permille")
    if signals is not None:
        if not isinstance(signals, dict):
            raise Malformed("signals_permille is not an object")
        counts.update(_signal_counts(signals, n))
    return counts


def _class_counts(line: Mapping[str, Any], n: int) -> Counts:
    counts: Counts = Counter()
    for label in _list(line, "predictions", n):
        if type(label) not in (int, str):
            raise Malformed("a prediction is neither a number nor a string")
        counts[f"p:{label}"] += 1
    for confidence in _list(line, "confidences", n):
        value = _number(confidence, "a confidence", 1 + 1e-4)
        counts[f"c{_bin(value)}"] += 1
        if _bin(value) == BINS - 1:
            counts[top_bin_name(max(0, bin_of(value) - TENTHS))] += 1
        counts["cs"] += round(value * MILLION)
        counts["cq"] += round(value * value * MILLION)
    return counts


def _signal_counts(signals: Mapping[str, Any], n: int) -> Counts:
    counts: Counts = Counter({"m": n})
    for name in ("mean_intensity", "ink_share"):
        for value in _list(signals, name, n):
            counts[f"{HISTOGRAMS[name]}{_bin(_permille(value) / PERMILLE)}"] += 1
    images = _list(signals, "block_means", n)
    if any(not isinstance(means, list) or len(means) != BLOCKS for means in images):
        raise Malformed(f"block_means are not {BLOCKS}")
    for (total, squares), values in zip(_BLOCK_NAMES, zip(*images, strict=True), strict=True):
        checked = [_permille(value) for value in values]
        counts[total] = sum(checked)
        counts[squares] = sum(value * value for value in checked)
    return counts


def _list(line: Mapping[str, Any], name: str, n: int) -> list[Any]:
    values = line.get(name)
    if not isinstance(values, list) or len(values) != n:
        raise Malformed(f"{name} are not {n}")
    return values


def _number(value: Any, what: str, limit: float) -> float:
    if type(value) not in (int, float) or not 0 <= value <= limit:  # False for NaN, too
        raise Malformed(f"{what} is not a number from 0 to {limit:g}")
    return float(value)


def _permille(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= PERMILLE:
        raise Malformed(f"a signal is not a whole number from 0 to {PERMILLE}")
    return value


def _bin(value: float) -> int:
    return min(BINS - 1, int(value * BINS))


def lifetime(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the counts that are also kept over a version's whole life."""
    return {
        name: value
        for name, value in counts.items()
        if name in LIFETIME_NAMES or name.startswith("p:") or (name[0] in "cl" and name[1:].isdigit())
    }


@dataclass(frozen=True)
class Summary:
    """A sample for drift: counts by class, histograms by name, and block means of images.

    A histogram or `blocks` is missing if there is nothing to count, such as for models whose inputs are not images.
    """

    count: int
    classes: Mapping[str, int]
    histograms: Mapping[str, tuple[int, ...]]
    blocks: Moments | None = None

    def shares(self) -> dict[str, float]:
        """Return the share of each class; empty for an empty sample."""
        return {label: round(count / self.count, 6) for label, count in self.classes.items()} if self.count else {}


def summary_of(counts: Mapping[str, int]) -> Summary:
    """Return the sample that the counts describe."""
    images = counts.get("m", 0)
    shown = {"confidence": sum(histogram(counts, "c")), "mean_intensity": images, "ink_share": images}
    blocks = None
    if images:
        blocks = Moments(
            images,
            tuple(counts.get(f"s{block:02}", 0) / PERMILLE for block in range(BLOCKS)),
            tuple(counts.get(f"q{block:02}", 0) / PERMILLE**2 for block in range(BLOCKS)),
        )
    return Summary(
        count=counts.get("n", 0),
        classes=class_counts(counts),
        histograms={name: histogram(counts, letter) for name, letter in HISTOGRAMS.items() if shown[name]},
        blocks=blocks,
    )


def summary_of_reference(reference: Mapping[str, Any], labels: Iterable[int | str]) -> Summary:
    """Return the sample that a manifest's `reference` describes: the rows held out in training."""
    classes = dict(zip(map(str, labels), reference["predictions"]["counts"], strict=True))
    histograms = {
        name: tuple(reference[name]["counts"])
        for name in HISTOGRAMS
        # Models that were logged by other tools may have other bins, which cannot be compared.
        if reference.get(name) and len(reference[name]["counts"]) == BINS
    }
    means = reference.get("block_means")
    blocks = None
    if means and len(means["sums"]) == BLOCKS:
        blocks = Moments(int(reference["count"]), tuple(means["sums"]), tuple(means["squares"]))
    return Summary(int(reference["count"]), classes, histograms, blocks)


def class_counts(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the predictions by class. Labels that are numbers are in numeric order."""
    classes = {name[2:]: value for name, value in counts.items() if name.startswith("p:")}
    return {label: classes[label] for label in sorted(classes, key=_by_number)}


def _by_number(label: str) -> tuple[int, int, str]:
    return (0, int(label), "") if label.isdecimal() else (1, 0, label)


def histogram(counts: Mapping[str, int], letter: str, bins: int = BINS) -> tuple[int, ...]:
    return tuple(counts.get(f"{letter}{index}", 0) for index in range(bins))


def latency_histogram(counts: Mapping[str, int]) -> tuple[int, ...]:
    """Return requests by latency: up to each of LATENCY_EDGES_MS, and one bin beyond the last."""
    return histogram(counts, "l", len(LATENCY_EDGES_MS) + 1)
