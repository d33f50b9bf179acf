"""Try a loaded model on generated rows, alone and in batches, as callers may send them."""

import json
from collections.abc import Iterator

import numpy as np

from mlops.domain.manifest import ModelInput
from mlops.inference.answers import answers_of, batch_body, single_body
from mlops.inference.model import SUM_TOLERANCE, TOLERANCE, Floats, Model, ModelRefused, brief, self_test_difference

BATCH = 100
"""Rows of the largest batch that predict accepts."""
SEED = 20_231


def check(model: Model) -> None:
    """Ask a model for predictions on generated rows, and check each answer.

    Raises:
        ModelRefused: An answer is wrong. The message names the rows and says what is wrong.
    """
    labels = model.manifest.labels
    if len(labels) < 2:
        raise ModelRefused(
            f"it answers with {len(labels)} number per row; class probabilities need at least two classes. Regression "
            "and single sigmoid outputs are not supported: export the probabilities of both classes"
        )
    if len(set(map(str, labels))) != len(labels):
        raise ModelRefused("two of its labels have the same text, so answers would not distinguish them; rename one")
    difference = self_test_difference(model)
    if difference is not None and not difference <= TOLERANCE:
        raise ModelRefused(
            f"its answers differ from its self-test by {difference:.3g}; at most {TOLERANCE:g} is allowed"
        )
    for name, rows in generated_rows(model.manifest.input):
        try:
            _check_rows(model, name, rows)
        except ModelRefused:
            raise
        except Exception as error:  # onnxruntime raises errors of many types
            raise ModelRefused(f"it does not answer {name} ({brief(error)})") from error


def generated_rows(model_input: ModelInput, seed: int = SEED) -> Iterator[tuple[str, Floats]]:
    """Yield inputs as callers may send them, float32 `[100, features]`, each with a name. Pixels are from 0 to 1."""
    generator = np.random.default_rng(seed)
    shape = (BATCH, model_input.features)
    yield "zeros", np.zeros(shape, np.float32)
    yield "ones", np.ones(shape, np.float32)
    yield "numbers from 0 to 1", generator.random(shape, np.float32)
    if model_input.image is None:
        yield "normal numbers", generator.standard_normal(shape, np.float32)
        yield "normal numbers times 10", 10 * generator.standard_normal(shape, np.float32)


def _check_rows(model: Model, name: str, rows: Floats) -> None:
    whole = _probabilities(model, f"{len(rows)} rows of {name}", rows)
    for count in (1, 2):
        part = _probabilities(model, f"{count} rows of {name}" if count > 1 else f"one row of {name}", rows[:count])
        if not np.allclose(part, whole[:count], rtol=0, atol=TOLERANCE):
            raise ModelRefused(
                f"its answer to a row of {name} depends on the other rows of the batch, or changes between calls; "
                "export it for inference (torch: model.eval())"
            )
    answers = answers_of(model.manifest, whole)
    document = json.loads(single_body(model.manifest, answers, whole))
    if document["prediction"] not in model.manifest.labels or len(document["probabilities"]) != whole.shape[1]:
        raise ModelRefused(f"its answer to {name} cannot be written as JSON exactly")
    batch_body(model.manifest, answers)


def _probabilities(model: Model, rows: str, inputs: Floats) -> Floats:
    """Return the answers to the rows, after checking that they are class probabilities."""
    probabilities = model.probabilities(inputs)
    due = (len(inputs), model.manifest.output.classes)
    if probabilities.shape != due or probabilities.dtype != np.float32:
        raise ModelRefused(f"it answers {rows} with {probabilities.dtype} {probabilities.shape}, not float32 {due}")
    if not np.isfinite(probabilities).all():
        raise ModelRefused(f"it answers {rows} with NaN or infinity")
    low, high = float(probabilities.min()), float(probabilities.max())
    if low < -SUM_TOLERANCE or high > 1 + SUM_TOLERANCE:
        raise ModelRefused(
            f"it answers {rows} with numbers from {low:.4g} to {high:.4g}, which are not probabilities; end the model "
            "with a softmax"
        )
    worst = float(np.abs(probabilities.sum(axis=1) - 1).max())
    if worst > SUM_TOLERANCE:
        raise ModelRefused(f"its probabilities for {rows} sum to {1 + worst:.4g} or {1 - worst:.4g}, not to 1")
    return probabilities
