"""The options that `mlops train` and `mlops sweep` have in common: data, objective, hyperparameters and resources."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Annotated, Any

import typer

from mlops_client.errors import BadInput

ModelType = Annotated[str | None, typer.Option(help="A model type; `mlops model-types` lists them. [mlp]")]
Dataset = Annotated[
    str | None,
    typer.Option(
        "--dataset",
        "-d",
        help="digits, mnist, or the s3:// or https:// address of a file: .csv, .tsv, .jsonl or .ndjson, also packed as "
        ".gz or .zst; .parquet; or .npz. An s3:// address that ends in / stands for the Parquet files below it. "
        "[digits]",
    ),
]
Target = Annotated[
    str | None,
    typer.Option(help="The column of a table to predict. [the column called label, target, class or y]"),
]
Task = Annotated[str | None, typer.Option(help="classification or regression. [the target's values decide]")]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        help="What a column is taken for: ignore, number, category, boolean or datetime, as in age=category. Can be "
        "repeated.",
    ),
]
Objective = Annotated[
    str | None,
    typer.Option(
        help="The metric that ranks runs: accuracy, f1, roc_auc, average_precision, log_loss, rmse, mae, r2, or one of "
        "your own. [accuracy or rmse]"
    ),
]
Direction = Annotated[str | None, typer.Option(help="For an objective of your own: maximise or minimise.")]
HeldOut = Annotated[
    str | None,
    typer.Option(
        help="Which rows measure the model: a share such as 0.2; date=2026-01-01, the rows from that time on; or the "
        "name of a column, whose groups stay together. [0.2]"
    ),
]
Weight = Annotated[str | None, typer.Option(help="The column of a table with the weights of its rows.")]
ClassWeight = Annotated[str | None, typer.Option(help="balanced: rare classes weigh as much as frequent ones. [none]")]
DecisionThreshold = Annotated[
    float | None,
    typer.Option(
        help="Of two classes: the probability of the second one from which on it is the answer. [the more probable "
        "class; or as the model's settings say]"
    ),
]
Hyperparameters = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        help="A hyperparameter by the model type's own name, as in num_leaves=31; `mlops model-types NAME` lists them. "
        "Can be repeated.",
    ),
]
Preset = Annotated[
    str | None, typer.Option(help="best: the model type's recommended values for all that is not given. [none]")
]
Vcpu = Annotated[float | None, typer.Option(help="vCPUs of each job: 0.25, 0.5, 1, 2, 4, 8 or 16. [2]")]
MemoryGb = Annotated[float | None, typer.Option("--memory", help="Memory of each job in GB. [4]")]
Minutes = Annotated[int | None, typer.Option(help="Minutes after which an attempt of a job is stopped.")]
Gpu = Annotated[bool, typer.Option("--gpu", help="Train each job on a GPU, if the stack has some.")]
Experiment = Annotated[str | None, typer.Option("--experiment", "-e", help="Name of the experiment.")]
Model = Annotated[str | None, typer.Option("--model", "-m", help="Name of the registered model.")]


def request_fields(options: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a request from the options of a command. Raises BadInput."""
    fields = dict(options)
    resources = {name: value for name in ("vcpu", "memory_gb", "minutes") if (value := fields.pop(name)) is not None}
    if fields.pop("gpu"):
        resources["gpu"] = 1
    held_out = fields["held_out"]
    own = pairs("--set", "num_leaves=31", fields["hyperparameters"], str.partition)
    return fields | {
        "columns": parse_columns(fields["columns"]),
        "hyperparameters": {name: parse_value(text) for name, text in own.items()} or None,
        "held_out": parse_held_out(held_out) if held_out is not None else None,
        "resources": resources or None,
    }


def parse_value(text: str) -> bool | int | float | str | None:
    """Return a number, `true`, `false` or `null` as JSON has it, and any other text as it is. Raises BadInput."""
    try:
        value = json.loads(text)
    except ValueError:
        return text.strip()
    if isinstance(value, float) and not math.isfinite(value):
        raise BadInput(f"{text!r} is not a finite number")
    return value if isinstance(value, bool | int | float | str | None) else text


def parse_columns(given: list[str] | None) -> dict[str, str] | None:
    """Return `age=category` options as the API's `columns`. Raises BadInput."""
    # A column's name may have an equals sign, a hyperparameter's may not.
    return pairs("--column", "age=category", given, str.rpartition) or None


def parse_held_out(text: str) -> float | dict[str, str]:
    """Return `0.2`, `date=2026-01-01` or `column` as the API's `held_out`."""
    try:
        if math.isfinite(share := float(text)):
            return share
    except ValueError:
        pass  # the name of a column
    column, separator, start = text.partition("=")
    return {"column": column, "from": start} if separator else {"column": column}


def pairs(
    option: str, example: str, given: list[str] | None, split: Callable[[str, str], tuple[str, str, str]]
) -> dict[str, str]:
    """Return `name=value` options by name, split at the first or the last `=`. Raises BadInput."""
    pairs = {}
    for text in given or []:
        name, separator, value = split(text, "=")
        if not separator or not name or not value:
            raise BadInput(f"{option} {text!r}: expected a name and a value, as in {example}")
        pairs[name.strip()] = value
    return pairs
