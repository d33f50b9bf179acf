"""Whether a loaded model answers as predict has to: on generated rows, alone and in batches, with probabilities."""

import json
from collections.abc import Iterator

import numpy as np

from mlops.domain.manifest import ModelInput
from mlops.inference.answers import answers_of, batch_body, single_body
from mlops.inference.model import SUM_TOLERANCE, TOLERANCE, Floats, Model, ModelRefused, brief, self_test_difference

BATCH = 100
"""Rows of the largest batch that is tried; predict takes no larger one."""
SEED = 20_231


def check(model: Model) -> None:
    """Ask a model what callers may ask, and check each answer.

    Raises:
        ModelRefused: it names the rows and what is wrong with the answer to them.
    """
    labels = model.manifest.labels
    if len(labels) < 2:
        raise ModelRefused(
            f"it answers with {len(labels)} number a row; class probabilities need at least two classes. Regression "
            "and single sigmoid outputs are not served: export both classes' probabilities"
        )
    if len(set(map(str, labels))) != len(labels):
        raise ModelRefused("two of its labels read the same, so an answer would not tell them apart")
    difference = self_test_difference(model)
    if difference is not None and not difference <= TOLERANCE:
        raise ModelRefused(f"its self-test is off by {difference:.3g}; at most {TOLERANCE:g} is allowed")
    for name, rows in generated_rows(model.manifest.input):
        try:
            _check_rows(model, name, rows)
        except ModelRefused:
            raise
        except Exception as error:  # onnxruntime raises many types of its own
            raise ModelRefused(f"it does not answer {name} ({brief(error)})") from error


def generated_rows(model_input: ModelInput, seed: int = SEED) -> Iterator[tuple[str, Floats]]:
    """Inputs as callers may send them, with a name each: float32 `[100, features]`. Pixels lie in 0..1."""
    generator = np.random.default_rng(seed)
    shape = (BATCH, model_input.features)
    yield "zeros", np.zeros(shape, np.float32)
    yield "ones", np.ones(shape, np.float32)
    yield "numbers of 0..1", generator.random(shape, np.float32)
    if model_input.image is None:
        yield "normal numbers", generator.standard_normal(shape, np.float32)
        yield "normal numbers times 10", 10 * generator.standard_normal(shape, np.float32)


def _check_rows(model: Model, name: str, rows: Floats) -> None:
    whole = _probabilities(model, f"{len(rows)} rows of {name}", rows)
    for count in (1, 2):
        part = _probabilities(model, f"{count} rows of {name}" if count > 1 else f"one row of {name}", rows[:count])
        if not np.allclose(part, whole[:count], rtol=0, atol=TOLERANCE):
            raise ModelRefused(
                f"its answer to a row of {name} depends on the rows beside it, or changes from one call to the next; "
                "export it for inference (torch: model.eval())"
            )
    answers = answers_of(model.manifest, whole)
    document = json.loads(single_body(model.manifest, answers, whole))
    if document["prediction"] not in model.manifest.labels or len(document["probabilities"]) != whole.shape[1]:
        raise ModelRefused(f"its answer to {name} cannot be written as JSON without a loss")
    batch_body(model.manifest, answers)


def _probabilities(model: Model, rows: str, inputs: Floats) -> Floats:
    """The answers to the rows, shown to be class probabilities."""
    probabilities = model.probabilities(inputs)
    due = (len(inputs), model.manifest.output.classes)
    if probabilities.shape != due or probabilities.dtype != np.float32:
        raise ModelRefused(f"it answers {rows} with {probabilities.dtype} {probabilities.shape}, not float32 {due}")
    if not np.isfinite(probabilities).all():
        raise ModelRefused(f"it answers {rows} with NaN or infinity")
    low, high = float(probabilities.min()), float(probabilities.max())
    if low < -SUM_TOLERANCE or high > 1 + SUM_TOLERANCE:
        raise ModelRefused(
            f"it answers {rows} with numbers of {low:.4g} to {high:.4g}, which are no probabilities; end the model "
            "in a softmax"
        )
    worst = float(np.abs(probabilities.sum(axis=1) - 1).max())
    if worst > SUM_TOLERANCE:
        raise ModelRefused(f"its probabilities for {rows} sum to {1 + worst:.4g} or {1 - worst:.4g}, not to 1")
    return probabilities
