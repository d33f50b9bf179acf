"""The model card in Markdown: what a model is, what it was trained on, how good it is, how to make it again."""

from collections.abc import Mapping, Sequence
from typing import Any

from mlops.domain.objective import Objective
from mlops_contract import Task
from trainer import models
from trainer.data import Dataset
from trainer.evaluation import Classification, Evaluation
from trainer.export import Exported
from trainer.parameters import Parameters
from trainer.summary import about

CLASSES_LISTED = 50
COLUMNS_LISTED = 100
COLUMN_FACTS = ("name", "type", "missing", "distinct")


def model_card(
    parameters: Parameters,
    dataset: Dataset,
    evaluation: Evaluation,
    exported: Exported,
    facts: Mapping[str, str],
    objective: Objective,
    baseline: float | None,
    proof: Sequence[str],
) -> str:
    """Return the card. The arguments are those of `report.write`."""
    sections = [
        [f"# {parameters.model_name}", "", about(parameters, dataset)],
        _data(dataset),
        _quality(evaluation, objective, baseline),
        _serving(exported, proof),
        [
            "## How it was made",
            *[f"- {name}: `{value}`" for name, value in models.run_params(parameters).items()],
            *[f"- {name}: `{value}`" for name, value in facts.items()],
        ],
        _limits(dataset.task),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections) + "\n"


def _data(dataset: Dataset) -> list[str]:
    lines = [
        "## Data",
        f"- `{dataset.name}`: {len(dataset.train)} rows trained on, {len(dataset.held_out)} held out",
        f"- SHA-256 of the data: `{dataset.digest}`",
        *[f"- {note}" for note in dataset.notes],
    ]
    if dataset.profile is not None:
        lines += _columns(dataset.profile.to_document())
    return lines


def _columns(profile: Mapping[str, Any]) -> list[str]:
    """Return the table of the columns. profile.json has the rest: their levels, quantiles and ranges."""
    columns = profile["columns"]
    lines = ["", "| column | type | missing | distinct |", "| --- | --- | --- | --- |"]
    for column in columns[:COLUMNS_LISTED]:
        lines.append("| " + " | ".join(_cell(column.get(fact, "")) for fact in COLUMN_FACTS) + " |")
    if len(columns) > COLUMNS_LISTED:
        lines.append(f"| … {len(columns) - COLUMNS_LISTED} more in profile.json | | | |")
    return lines


def _quality(evaluation: Evaluation, objective: Objective, baseline: float | None) -> list[str]:
    metrics = evaluation.metrics()
    lines = ["## Quality on the held-out rows"]
    lines += [f"- {name.replace('_', ' ')} {_figure(value)}" for name, value in metrics.items()]
    naive = "" if baseline is None else f"; a model that knows no inputs reaches {_figure(baseline)}"
    lines.append(f"- objective: {objective.direction} `{objective.name}`{naive}")
    if isinstance(evaluation, Classification):
        lines += _classes(evaluation)
    return lines


def _classes(evaluation: Classification) -> list[str]:
    lines = ["", "| position | class | rows | precision | recall | F1 |", "| --- | --- | --- | --- | --- | --- |"]
    f1 = evaluation.f1
    for index, label in enumerate(evaluation.labels[:CLASSES_LISTED]):
        lines.append(
            f"| {index} | {_cell(label)} | {evaluation.rows[index]} | {evaluation.precision[index]:.4f} | "
            f"{evaluation.recall[index]:.4f} | {f1[index]:.4f} |"
        )
    if len(evaluation.labels) > CLASSES_LISTED:
        lines.append(f"| … | {len(evaluation.labels) - CLASSES_LISTED} more in evaluation.json | | | | |")
    lines += [
        "",
        "The metrics `class/0/precision`, `class/0/recall` and so on are those of the class at that position.",
    ]
    return lines


def _serving(exported: Exported, proof: Sequence[str]) -> list[str]:
    return [
        "## Serving",
        f"- ONNX, {len(exported.content):,} bytes, SHA-256 `{exported.sha256}`",
        f"- one prediction takes {exported.latency_ms:.3f} ms on one thread of the machine that trained it",
        f"- its answers differ from the trained model by at most {exported.worst_difference:.1e}",
        *[f"- {sentence}" for sentence in proof],
    ]


def _limits(task: Task) -> list[str]:
    wrong = (
        "It always answers with a number. For inputs that differ from its data, the number can be far off."
        if task is Task.REGRESSION
        else "It always answers with one of its classes. For inputs that differ from its data, it can be wrong with "
        "high confidence."
    )
    quality = "larger errors" if task is Task.REGRESSION else "a lower accuracy"
    return [
        "## Limits",
        f"- {wrong}",
        f"- The held-out rows come from the same source as the training rows. Expect {quality} on other inputs.",
    ]


def _figure(value: float) -> str:
    """Return shares with four decimals, and quantities with as many digits."""
    return f"{value:.4f}" if abs(value) <= 1 else f"{value:.6g}"


def _cell(value: object) -> str:
    text = _figure(value) if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")
