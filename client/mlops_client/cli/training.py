"""mlops train and sweep."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mlops_client.cli import output, watching
from mlops_client.cli.options import Json, new_client
from mlops_client.cli.results import finish_job, finish_sweep
from mlops_client.errors import BadInput


def register(app: typer.Typer) -> None:
    app.command("train")(train)
    app.command("sweep")(sweep)


Dataset = Annotated[
    str | None,
    typer.Option(
        "--dataset",
        "-d",
        help="digits, mnist, or the s3:// or https:// address of a file: .csv or .tsv, also packed as .gz or .zst, "
        "or .npz. [digits]",
    ),
]
ModelType = Annotated[
    str | None, typer.Option(help="mlp, cnn, logistic_regression, random_forest, svm, or the type of a plug-in. [mlp]")
]
Experiment = Annotated[str | None, typer.Option("--experiment", "-e", help="Name of the experiment.")]
Model = Annotated[str | None, typer.Option("--model", "-m", help="Name of the registered model.")]
Watch = Annotated[bool, typer.Option("--watch/--no-watch", "-w", help="Show the progress until the end.")]
Key = Annotated[str | None, typer.Option(help="Requests with the same key are carried out only once.")]


def train(
    learning_rate: Annotated[float | None, typer.Option(help="Learning rate, 1e-5 to 1. [0.001]")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data set, 1 to 100. [10]")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Rows per step, 8 to 512. [64]")] = None,
    hidden_size: Annotated[int | None, typer.Option(help="Units in the hidden layer, 32 to 512. [128]")] = None,
    dropout: Annotated[float | None, typer.Option(help="Share of units left out in a step, 0 to 0.5. [0.2]")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same model. [42]")] = None,
    model_type: ModelType = None,
    dataset: Dataset = None,
    experiment_name: Experiment = None,
    run_name: Annotated[str | None, typer.Option("--name", help="Name of the run.")] = None,
    model_name: Model = None,
    register: Annotated[bool, typer.Option("--register/--no-register", help="Register the model at the end.")] = True,
    watch: Watch = False,
    idempotency_key: Key = None,
    as_json: Json = False,
) -> None:
    """Train a model. With --watch, show the progress until the job has ended."""
    fields = {name: value for name, value in locals().items() if name not in ("watch", "as_json")}
    run = new_client().train(**fields)
    if watch:
        finish_job(watching.watch_job(run.status, run.job_id, quiet=as_json), as_json)
    elif as_json:
        output.print_json(run.status())
    else:
        output.print_line(f"{run.job_id} started; watch it: mlops jobs {run.job_id} --watch")


def sweep(
    num_runs: Annotated[int | None, typer.Option("--num-runs", "-n", help="Number of runs, 1 to 100. [10]")] = None,
    strategy: Annotated[
        str | None, typer.Option(help="How to choose hyperparameters: random or grid. [random]")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed chooses the same hyperparameters. [42]")] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of each run, 1 to 100. [10]")] = None,
    space: Annotated[
        list[str] | None,
        typer.Option(
            "--try",
            "-t",
            help="Values of one hyperparameter: a list as in hidden_size=64,128, a range as in "
            "learning_rate=0.001..0.01, or a logarithmic range as in learning_rate=0.001..0.01:log. Can be repeated.",
        ),
    ] = None,
    model_type: ModelType = None,
    dataset: Dataset = None,
    experiment_name: Experiment = None,
    model_name: Model = None,
    register_best: Annotated[
        bool, typer.Option("--register-best/--no-register-best", help="Register the model of the best run at the end.")
    ] = True,
    stage: Annotated[
        str | None, typer.Option(help="Promote the best model to this stage: Staging or Production.")
    ] = None,
    watch: Watch = True,
    idempotency_key: Key = None,
    as_json: Json = False,
) -> None:
    """Train several models with different hyperparameters, and rank them."""
    fields = {name: value for name, value in locals().items() if name not in ("watch", "as_json", "space")}
    client = new_client()
    started = client.sweep(space=parse_space(space) if space else None, **fields)
    if watch:
        finish_sweep(client, watching.watch_sweep(started.status, started.sweep_id, quiet=as_json), as_json)
    elif as_json:
        output.print_json(started.status())
    else:
        output.print_line(f"{started.sweep_id} started; watch it: mlops jobs {started.sweep_id} --watch")


def parse_space(options: list[str]) -> dict[str, Any]:
    """Return `name=1,2` and `name=low..high[:log]` as the API's space. Raises BadInput."""
    space: dict[str, Any] = {}
    for option in options:
        name, _, values = option.partition("=")
        try:
            if ".." in values:
                ends, _, kind = values.partition(":")
                low, high = (_number(end) for end in ends.split(".."))
                if kind not in ("", "log"):
                    raise ValueError(kind)
                space[name.strip()] = {"low": low, "high": high, "log": kind == "log"}
            else:
                space[name.strip()] = [_number(value) for value in values.split(",")]
        except ValueError:
            raise BadInput(f"--try {option!r}: expected name=1,2,3, name=low..high or name=low..high:log") from None
    return space


def _number(text: str) -> int | float:
    """Return a whole number as one, so that the API can tell 64 from 64.5."""
    try:
        return int(text)
    except ValueError:
        return float(text)
