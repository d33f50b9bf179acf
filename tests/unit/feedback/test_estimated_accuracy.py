"""The estimate without labels, against the truth: when the inputs shift, and when what is true of them changes."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from mlops.domain.drift.counts import counts_of
from mlops.domain.feedback.estimate import estimated_accuracy
from mlops_contract.confidence_bins import BINS, EDGES, bin_of, centre_of
from mlops_conversion.reference import reference

ROWS, LIVE = 4000, 5_000


def drawn(source: np.random.Generator, count: int, shift: float = 0.0, flipped: float = 0.0) -> Any:
    """Rows of three columns and their labels. `shift` moves the rows to where the classes are hard to tell apart;
    `flipped` is the share of rows whose label is the other one than the rule of training says."""
    rows = source.normal(0, 1, (count, 3)) * (1 - shift)
    likely = 1 / (1 + np.exp(-(2.5 * rows[:, 0] - 1.5 * rows[:, 1] + 0.5 * rows[:, 2])))
    labels = source.random(count) < likely
    return rows, np.where(source.random(count) < flipped, ~labels, labels).astype(int)


class World:
    """A model whose confidences are too high, as those of many networks, with its held-out rows."""

    def __init__(self, seed: int) -> None:
        self.source = np.random.default_rng(seed)
        self.model = LogisticRegression().fit(*drawn(self.source, ROWS))
        rows, labels = drawn(self.source, ROWS)
        self.reference = reference(rows.astype(np.float32), self.probabilities(rows), None, targets=labels)

    def probabilities(self, rows: Any) -> Any:
        score = 1.8 * self.model.decision_function(rows)
        positive = 1 / (1 + np.exp(-score))
        return np.column_stack([1 - positive, positive]).astype(np.float32)

    def estimated_and_true(self, **changes: float) -> tuple[float, float, float]:
        """The estimate from the lines that predict would write, the true accuracy, and the mean confidence."""
        rows, labels = drawn(self.source, LIVE, **changes)
        probabilities = self.probabilities(rows)
        estimate = estimated_accuracy(self.reference, [counts(probabilities)])
        assert estimate is not None
        assert estimate.predictions == LIVE
        truth = float((probabilities.argmax(axis=1) == labels).mean())
        return estimate.accuracy, truth, float(probabilities.max(axis=1).mean())


def counts(probabilities: Any) -> Counter[str]:
    total: Counter[str] = Counter()
    for start in range(0, len(probabilities), 100):
        part = probabilities[start : start + 100]
        total += counts_of(
            {
                "n": len(part),
                "predictions": part.argmax(axis=1).tolist(),
                "confidences": part.max(axis=1).astype(float).tolist(),
                "latency_ms": 1.0,
            }
        )
    return total


@pytest.fixture(scope="module")
def worlds() -> list[World]:
    return [World(seed) for seed in range(5)]


def test_without_a_change_it_is_the_accuracy(worlds: list[World]) -> None:
    errors = [abs(estimated - true) for estimated, true, _ in (world.estimated_and_true() for world in worlds)]
    assert max(errors) < 0.02


def test_under_covariate_shift_it_is_near_the_accuracy_where_the_confidence_is_not(worlds: list[World]) -> None:
    for world in worlds:
        before = world.estimated_and_true()[0]
        estimated, true, confidence = world.estimated_and_true(shift=0.6)
        assert before - true > 0.1
        assert abs(estimated - true) < 0.03
        assert confidence - true > 0.05


def test_under_concept_shift_it_fails_and_says_that_nothing_has_changed(worlds: list[World]) -> None:
    for world in worlds:
        before = world.estimated_and_true()[0]
        estimated, true, _ = world.estimated_and_true(flipped=0.2)
        assert abs(estimated - before) < 0.02
        assert estimated - true > 0.08


def test_the_standard_error_covers_what_chance_does() -> None:
    found = []
    for seed in range(30):
        world = World(100 + seed)
        rows, labels = drawn(world.source, 500)
        probabilities = world.probabilities(rows)
        estimate = estimated_accuracy(world.reference, [counts(probabilities)])
        assert estimate is not None
        truth = float((probabilities.argmax(axis=1) == labels).mean())
        found.append((estimate.accuracy - truth) / estimate.error)
    assert 0.7 < np.std(found) < 1.5
    assert abs(np.mean(found)) < 0.5


def test_what_cannot_be_estimated_is_not() -> None:
    probabilities = np.full((200, 2), 0.5, np.float32)
    live = [counts(probabilities)]
    made = reference(probabilities, probabilities, None, targets=np.zeros(200, int))
    assert estimated_accuracy(made, live) is not None
    assert estimated_accuracy(None, live) is None
    assert estimated_accuracy(reference(probabilities, probabilities, None), live) is None
    assert estimated_accuracy({"accuracy_by_confidence": {"counts": [1], "right": [1]}}, live) is None
    assert estimated_accuracy(made, [counts(probabilities[:99])]) is None


def test_hours_from_before_the_finer_bins_are_left_out() -> None:
    probabilities = np.array([[0.01, 0.99]] * 200, np.float32)
    made = reference(probabilities, probabilities, None, targets=np.ones(200, int))
    now, before = counts(probabilities), counts(probabilities)
    del before["d3"]
    estimate = estimated_accuracy(made, [now, before])
    assert estimate is not None
    assert estimate.predictions == 200


def test_bins_cover_all_confidences_without_gaps() -> None:
    assert [bin_of(edge) for edge in EDGES] == list(range(1, BINS))
    assert bin_of(0.0) == 0
    assert bin_of(1.0001) == BINS - 1
    assert all(bin_of(centre_of(place)) == place for place in range(BINS))
