"""Try a loaded model on generated rows, alone and in batches, as callers may send them."""

import json
from collections.abc import Iterator

import numpy as np

from mlops.domain.manifest import Manifest
from mlops.domain.model_description import ModelInput
from mlops.inference.answers import ModelAnswers
from mlops.inference.model import SUM_TOLERANCE, TOLERANCE, Floats, Model, ModelRefused, brief, self_test_difference
from mlops.inference.table_rows import Row, generated_table_rows

BATCH = 100
"""Inputs of the largest batch that predict accepts."""
SEED = 20_231


def check(model: Model) -> None:
    """Ask a model for predictions on generated rows, and check each answer.

    Raises:
        ModelRefused: An answer is wrong. The message names the rows and says what is wrong.
    """
    _check_labels(model)
    difference = self_test_difference(model)
    if difference is not None and not difference <= TOLERANCE:
        raise ModelRefused(
            f"its answers differ from its self-test by {difference:.3g}; at most {TOLERANCE:g} is allowed"
        )
    for name, rows in _rows_for(model):
        try:
            _check_rows(model, name, rows)
        except ModelRefused:
            raise
        except Exception as error:  # onnxruntime raises errors of many types
            raise ModelRefused(f"it does not answer {name} ({brief(error)})") from error


def _check_labels(model: Model) -> None:
    if model.manifest.predicts_quantity:
        return
    labels = model.manifest.labels
    if len(labels) < 2:
        raise ModelRefused(
            f"it answers with {len(labels)} number per row; class probabilities need at least two classes. Export the "
            "probabilities of both classes; a regression model needs a contract of its columns"
        )
    if len(set(map(str, labels))) != len(labels):
        raise ModelRefused("two of its labels have the same text, so answers would not distinguish them; rename one")


def _rows_for(model: Model) -> Iterator[tuple[str, Floats | list[Row]]]:
    if model.encoder is not None:
        return generated_table_rows(model.encoder.contract)
    assert model.manifest.input is not None
    return generated_rows(model.manifest.input)


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


def _check_rows(model: Model, name: str, rows: Floats | list[Row]) -> None:
    whole = _answers(model, f"{len(rows)} rows of {name}", rows)
    # A quantity may have any unit.
    tolerance = TOLERANCE * float(np.abs(whole).max() or 1) if model.manifest.predicts_quantity else TOLERANCE
    for count in (1, 2):
        part = _answers(model, f"{count} rows of {name}" if count > 1 else f"one row of {name}", rows[:count])
        if not np.allclose(part, whole[:count], rtol=0, atol=tolerance):
            raise ModelRefused(
                f"its answer to a row of {name} depends on the other rows of the batch, or changes between calls; "
                "export it for inference (torch: model.eval())"
            )
    if not _is_written_exactly(model.manifest, whole):
        raise ModelRefused(f"its answer to {name} cannot be written as JSON exactly")


def _is_written_exactly(manifest: Manifest, whole: Floats) -> bool:
    """Return whether the answers that predict would write read back as the model's."""
    writer = ModelAnswers(manifest)
    answers = writer.of(whole)
    document = json.loads(writer.single(answers) if manifest.contract is None else writer.row(answers))
    batch = json.loads(writer.batch(answers))
    if len(batch["predictions"]) != len(whole):
        return False
    if manifest.predicts_quantity:
        return bool(np.float32(document["prediction"]) == whole[0, 0])
    return document["prediction"] in manifest.labels and len(document["probabilities"]) == whole.shape[1]


def _answers(model: Model, rows: str, inputs: Floats | list[Row]) -> Floats:
    """Return the answers to the rows, after checking that they are class probabilities, or finite quantities."""
    if isinstance(inputs, list):
        assert model.encoder is not None
        answers = model.outputs(model.encoder.encode(inputs).feeds)
    else:
        answers = model.probabilities(inputs)
    due = (len(inputs), model.manifest.output.classes)
    if answers.shape != due or answers.dtype != np.float32:
        raise ModelRefused(f"it answers {rows} with {answers.dtype} {answers.shape}, not float32 {due}")
    if not np.isfinite(answers).all():
        raise ModelRefused(f"it answers {rows} with NaN or infinity")
    if not model.manifest.predicts_quantity:
        _check_probabilities(rows, answers)
    return answers


def _check_probabilities(rows: str, probabilities: Floats) -> None:
    low, high = float(probabilities.min()), float(probabilities.max())
    if low < -SUM_TOLERANCE or high > 1 + SUM_TOLERANCE:
        raise ModelRefused(
            f"it answers {rows} with numbers from {low:.4g} to {high:.4g}, which are not probabilities; end the model "
            "with a softmax"
        )
    worst = float(np.abs(probabilities.sum(axis=1) - 1).max())
    if worst > SUM_TOLERANCE:
        raise ModelRefused(f"its probabilities for {rows} sum to {1 + worst:.4g} or {1 - worst:.4g}, not to 1")
