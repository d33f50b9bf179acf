"""Write the report of a run: pictures of the evaluation, and the model card."""

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from trainer.data import Dataset, Label
from trainer.evaluate import Evaluation
from trainer.export import Exported
from trainer.log import log_event
from trainer.parameters import Parameters

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CELLS_WRITTEN = 20
CLASSES_LISTED = 50
TICK_LENGTH = 20


def write(
    folder: Path,
    parameters: Parameters,
    dataset: Dataset,
    evaluation: Evaluation,
    exported: Exported,
    facts: Mapping[str, str],
) -> None:
    """Write confusion.png, calibration.png, evaluation.json and model_card.md into `folder`.

    A picture that cannot be drawn is left out, and the log says so.
    """
    _draw(folder / "confusion.png", confusion_picture, evaluation)
    _draw(folder / "calibration.png", calibration_picture, evaluation)
    (folder / "evaluation.json").write_text(json.dumps(_as_json(evaluation), indent=1), encoding="utf-8")
    (folder / "model_card.md").write_text(
        model_card(parameters, dataset, evaluation, exported, facts), encoding="utf-8"
    )


def _draw(path: Path, picture: "Callable[[Evaluation], Figure]", evaluation: Evaluation) -> None:
    try:
        drawn = io.BytesIO()
        picture(evaluation).savefig(drawn, format="png", dpi=100)
        path.write_bytes(drawn.getvalue())
    except Exception as error:
        # A model is worth more than its picture. Matplotlib asks any IPython that is loaded for its display, and MLflow
        # may be importing it on the other thread; it needs folders that can be written to; and it draws any label.
        log_event("report.picture_failed", picture=path.name, reason=f"{type(error).__name__}: {error}")


def confusion_picture(evaluation: Evaluation) -> "Figure":
    """The confusion matrix; the shade is each class's share, so that rare classes show too."""
    from matplotlib.figure import Figure

    classes = len(evaluation.labels)
    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    axes = figure.add_subplot()
    shares = evaluation.confusion / np.maximum(evaluation.confusion.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, label="share of the true class")
    if classes <= CELLS_WRITTEN:
        # A label is text, not a formula, also if it has two dollar signs.
        ticks = [_shortened(label) for label in evaluation.labels]
        axes.set_xticks(range(classes), ticks, parse_math=False)
        axes.set_yticks(range(classes), ticks, parse_math=False)
        for (row, column), count in np.ndenumerate(evaluation.confusion):
            if count:
                colour = "white" if shares[row, column] > 0.5 else "black"
                axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=8)
    axes.set(xlabel="predicted", ylabel="true", title=f"accuracy {evaluation.accuracy:.2%} of {evaluation.count}")
    return figure


def calibration_picture(evaluation: Evaluation) -> "Figure":
    """Accuracy against confidence: on the diagonal the model is as sure as it is right."""
    from matplotlib.figure import Figure

    filled = evaluation.bin_counts > 0
    figure = Figure(figsize=(5, 4.4), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    axes.plot(evaluation.bin_confidence[filled], evaluation.bin_accuracy[filled], marker="o")
    axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    axes.set_title(f"expected calibration error {evaluation.calibration_error:.4f}")
    return figure


def _shortened(label: Label) -> str:
    text = str(label)
    return text if len(text) <= TICK_LENGTH else text[: TICK_LENGTH - 1] + "…"


def model_card(
    parameters: Parameters, dataset: Dataset, evaluation: Evaluation, exported: Exported, facts: Mapping[str, str]
) -> str:
    """The model card in Markdown: what it is, what it was trained on, how good it is, how to make it again."""
    shape = f"images of {dataset.image[0]}x{dataset.image[1]}" if dataset.image else f"vectors of {dataset.features}"
    lines = [
        f"# {parameters.model_name}",
        "",
        f"A {parameters.model_type} that distinguishes {dataset.classes} classes of {shape}.",
        "",
        "## Data",
        f"- `{dataset.name}`: {len(dataset.train)} rows trained on, {len(dataset.held_out)} held out",
        f"- SHA-256 of the data: `{dataset.digest}`",
        *[f"- {note}" for note in dataset.notes],
        "",
        "## Quality on the held-out rows",
        f"- accuracy {evaluation.accuracy:.4f}, loss {evaluation.loss:.4f}",
        f"- expected calibration error {evaluation.calibration_error:.4f}",
        "",
        "| position | class | rows | precision | recall | F1 |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    rows, f1 = evaluation.confusion.sum(axis=1), evaluation.f1
    for index, label in enumerate(evaluation.labels[:CLASSES_LISTED]):
        lines.append(
            f"| {index} | {_cell(label)} | {rows[index]} | {evaluation.precision[index]:.4f} | "
            f"{evaluation.recall[index]:.4f} | {f1[index]:.4f} |"
        )
    if len(evaluation.labels) > CLASSES_LISTED:
        lines.append(f"| … | {len(evaluation.labels) - CLASSES_LISTED} more in evaluation.json | | | | |")
    lines += [
        "",
        "The metrics `precision_0`, `recall_0` and so on are those of the class at that position.",
        "",
        "## Serving",
        f"- ONNX, {len(exported.content):,} bytes, SHA-256 `{exported.sha256}`",
        f"- one prediction takes {exported.latency_ms:.3f} ms on one thread of the machine that trained it",
        f"- its answers differ from the trained model by at most {exported.worst_difference:.1e}",
        "",
        "## How it was made",
        *[f"- {name}: `{value}`" for name, value in parameters.run_params().items()],
        *[f"- {name}: `{value}`" for name, value in facts.items()],
        "",
        "## Limits",
        "- It always answers with one of its classes. For inputs that differ from its data, it can be wrong with high "
        "confidence.",
        "- The held-out rows come from the same source as the training rows. Expect a lower accuracy on other inputs.",
        "",
    ]
    return "\n".join(lines)


def _cell(label: Label) -> str:
    return str(label).replace("|", "\\|").replace("\n", " ")


def _as_json(evaluation: Evaluation) -> dict[str, object]:
    return {
        "labels": list(evaluation.labels),
        **evaluation.metrics(),
        "precision": evaluation.precision.tolist(),
        "recall": evaluation.recall.tolist(),
        "f1": evaluation.f1.tolist(),
        "confusion": evaluation.confusion.tolist(),
        "calibration": {
            "counts": evaluation.bin_counts.tolist(),
            "confidence": evaluation.bin_confidence.tolist(),
            "accuracy": evaluation.bin_accuracy.tolist(),
        },
    }
