"""From predict's own lines to counts, and from counts to what the trainer's reference is compared with."""

import json
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.domain.drift.counts import Malformed, counts_of, lifetime, summary_of, summary_of_reference
from mlops.inference.answers import ModelAnswers
from predict import records, signals
from tests.support.serving import served


def test_what_predict_logs_compares_with_what_the_trainer_saw(capsys):
    """The same inputs and answers, once through predict's line and once through the trainer's reference, are one
    sample: drift of it against itself is nothing."""
    from mlops_conversion.reference import reference

    random = np.random.default_rng(0)
    inputs = (random.random((400, 784)) * random.random((400, 1))).astype(np.float32)
    probabilities = random.dirichlet(np.ones(10), 400).astype(np.float32)
    manifest = served().manifest
    for start in range(0, 400, 100):
        rows = slice(start, start + 100)
        kept = records.ModelLines(manifest).of_classes(
            ModelAnswers(manifest).of_classes(probabilities[rows]),
            signals.Signals((28, 28))(inputs[rows]),
        )
        records.prediction("r", kept, False, 0.0, time.perf_counter())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    counts = sum((counts_of(line) for line in lines), start=counts_of(lines[0])) - counts_of(lines[0])
    logged = summary_of(counts)
    seen = summary_of_reference(reference(inputs, probabilities, (28, 28)), manifest.labels)
    assert {label: count for label, count in seen.classes.items() if count} == logged.classes
    assert logged.count == seen.count == 400
    for name in ("confidence", "mean_intensity", "ink_share"):
        moved = np.abs(np.subtract(logged.histograms[name], seen.histograms[name])).sum()
        assert moved <= 4, name  # values within a rounding of a bin's edge
    np.testing.assert_allclose(np.divide(logged.blocks.sums, 400), np.divide(seen.blocks.sums, 400), atol=1e-3)
    np.testing.assert_allclose(np.divide(logged.blocks.squares, 400), np.divide(seen.blocks.squares, 400), atol=2e-3)


def test_counts_of_a_batch_add_up(make_line):
    counts = counts_of(make_line(50, seed=3))
    assert counts["n"] == counts["m"] == 50
    assert counts["r"] == 1
    for letter in ("c", "i", "k"):
        assert sum(counts[f"{letter}{bin}"] for bin in range(10)) == 50
    assert sum(value for name, value in counts.items() if name.startswith("p:")) == 50
    assert counts["ls"] == 1250
    assert counts["l1"] == 1


def test_totals_hold_no_signals(make_line):
    names = lifetime(counts_of(make_line(50, cache="hit"))).keys()
    assert {"n", "r", "h", "cs", "ls"} <= names
    assert not any(name[0] in "iksqm" for name in names)
    assert len(names) <= 5 + 10 + 10 + 1


def test_models_without_images_have_no_signals(make_line):
    summary = summary_of(
        counts_of(make_line(5, signals_permille=None, predictions=["cat", "dog", "cat", "cat", "dog"]))
    )
    assert summary.classes == {"cat": 3, "dog": 2}
    assert summary.histograms.keys() == {"confidence"}
    assert summary.blocks is None


def test_labels_that_are_numbers_are_in_their_order(make_line):
    summary = summary_of(counts_of(make_line(3, predictions=[10, 9, 2])))
    assert list(summary.classes) == ["2", "9", "10"]


@pytest.mark.parametrize(
    "changes",
    [
        {"n": 0},
        {"n": True},
        {"n": 3},
        {"predictions": [1]},
        {"predictions": [1, None]},
        {"confidences": [0.5, 2]},
        {"confidences": [0.5, float("nan")]},
        {"confidences": None},
        {"latency_ms": -1},
        {"latency_ms": "1"},
        {"signals_permille": []},
        {"signals_permille": {}},
        {"signals_permille": {"mean_intensity": [1, 2], "ink_share": [1, 2], "block_means": [[1], [2]]}},
        {"signals_permille": {"mean_intensity": [1, 2000], "ink_share": [1, 2], "block_means": [[0] * 49] * 2}},
    ],
)
def test_other_lines_are_malformed(make_line, changes):
    with pytest.raises(Malformed):
        counts_of({**make_line(2), **changes})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(field=st.sampled_from(["n", "predictions", "confidences", "latency_ms", "signals_permille"]), value=JSON)
def test_no_line_whatever_breaks_the_counting(make_line, field, value):
    try:
        counts = counts_of({**make_line(2), field: value})
    except Malformed:
        return
    assert all(type(count) is int for count in counts.values())


def test_a_sample_of_inputs_can_be_read_back():
    import base64

    from predict import samples

    manifest = served().manifest
    inputs = np.random.default_rng(0).random((100, 784), np.float32)
    line = samples.line(manifest, inputs, [1] * 100, 1.0)
    kept = np.frombuffer(base64.b64decode(line["inputs"]), line["dtype"]).reshape(line["n"], line["features"])
    np.testing.assert_allclose(kept / 255, inputs, atol=1 / 500)
    assert len(json.dumps(line)) < 256_000
    assert samples.line(manifest, np.zeros((1, 500_000), np.float32), [1], 1.0) is None
    taken = sum(samples.line(manifest, inputs[:1], [1], 0.25) is not None for _ in range(2_000))
    assert 350 < taken < 650  # 500 expected; seven standard deviations
