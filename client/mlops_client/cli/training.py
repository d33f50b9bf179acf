"""mlops train and sweep. The options that both have are in `subject`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mlops_client.cli import output, subject, watching
from mlops_client.cli.options import Json, new_client
from mlops_client.cli.results import finish_job, finish_sweep
from mlops_client.errors import BadInput


def register(app: typer.Typer) -> None:
    app.command("train")(train)
    app.command("sweep")(sweep)


Watch = Annotated[bool, typer.Option("--watch/--no-watch", "-w", help="Show the progress until the end.")]
Key = Annotated[str | None, typer.Option(help="Requests with the same key are carried out only once.")]


def train(
    learning_rate: Annotated[float | None, typer.Option(help="For networks: learning rate, 1e-5 to 1. [0.001]")] = None,
    epochs: Annotated[int | None, typer.Option(help="For networks: passes over the data set, 1 to 100. [10]")] = None,
    batch_size: Annotated[int | None, typer.Option(help="For networks: rows per step, 8 to 512. [64]")] = None,
    hidden_size: Annotated[
        int | None, typer.Option(help="For networks: units in the hidden layer, 32 to 512. [128]")
    ] = None,
    dropout: Annotated[
        float | None, typer.Option(help="For networks: share of units left out in a step, 0 to 0.5. [0.2]")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same model. [42]")] = None,
    model_type: subject.ModelType = None,
    dataset: subject.Dataset = None,
    target: subject.Target = None,
    task: subject.Task = None,
    columns: subject.Columns = None,
    objective: subject.Objective = None,
    direction: subject.Direction = None,
    held_out: subject.HeldOut = None,
    weight: subject.Weight = None,
    class_weight: subject.ClassWeight = None,
    decision_threshold: subject.DecisionThreshold = None,
    hyperparameters: subject.Hyperparameters = None,
    preset: subject.Preset = None,
    vcpu: subject.Vcpu = None,
    memory_gb: subject.MemoryGb = None,
    minutes: subject.Minutes = None,
    gpu: subject.Gpu = False,
    experiment_name: subject.Experiment = None,
    run_name: Annotated[str | None, typer.Option("--name", help="Name of the run.")] = None,
    model_name: subject.Model = None,
    register: Annotated[bool, typer.Option("--register/--no-register", help="Register the model at the end.")] = True,
    watch: Watch = False,
    idempotency_key: Key = None,
    as_json: Json = False,
) -> None:
    """Train a model. With --watch, show the progress until the job has ended."""
    fields = {name: value for name, value in locals().items() if name not in ("watch", "as_json")}
    run = new_client().train(**subject.request_fields(fields))
    if watch:
        finish_job(watching.watch_job(run.status, run.job_id, quiet=as_json), as_json)
    elif as_json:
        output.print_json(run.status())
    else:
        output.print_line(f"{run.job_id} started; watch it: mlops jobs {run.job_id} --watch")


def sweep(
    num_runs: Annotated[int | None, typer.Option("--num-runs", "-n", help="Number of runs, 1 to 100. [10]")] = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            help="How to choose hyperparameters: random; grid; or tpe or gp, which choose values by what the runs "
            "before have shown. [random]"
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="For tpe and gp: how many runs train at the same time. [4]")
    ] = None,
    prune: Annotated[
        bool | None, typer.Option("--prune", help="Not for grid: end runs early that are worse than the others.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed chooses the same hyperparameters. [42]")] = None,
    epochs: Annotated[int | None, typer.Option(help="For networks: epochs of each run, 1 to 100. [10]")] = None,
    space: Annotated[
        list[str] | None,
        typer.Option(
            "--try",
            "-t",
            help="Values of one hyperparameter: a list as in hidden_size=64,128, a range as in "
            "learning_rate=0.001..0.01, or a logarithmic range as in learning_rate=0.001..0.01:log. Can be repeated.",
        ),
    ] = None,
    model_type: subject.ModelType = None,
    dataset: subject.Dataset = None,
    target: subject.Target = None,
    task: subject.Task = None,
    columns: subject.Columns = None,
    objective: subject.Objective = None,
    direction: subject.Direction = None,
    held_out: subject.HeldOut = None,
    weight: subject.Weight = None,
    class_weight: subject.ClassWeight = None,
    decision_threshold: subject.DecisionThreshold = None,
    hyperparameters: subject.Hyperparameters = None,
    preset: subject.Preset = None,
    vcpu: subject.Vcpu = None,
    memory_gb: subject.MemoryGb = None,
    minutes: subject.Minutes = None,
    gpu: subject.Gpu = False,
    experiment_name: subject.Experiment = None,
    model_name: subject.Model = None,
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
    started = client.sweep(space=parse_space(space) if space else None, **subject.request_fields(fields))
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
        name, separator, values = option.partition("=")
        try:
            if not separator or not values:
                raise ValueError(option)
            if ".." in values:
                ends, _, kind = values.partition(":")
                low, high = (float(end) for end in ends.split(".."))
                if kind not in ("", "log"):
                    raise ValueError(kind)
                space[name.strip()] = {"low": low, "high": high, "log": kind == "log"}
            else:
                space[name.strip()] = [subject.parse_value(value) for value in values.split(",")]
        except ValueError:
            raise BadInput(f"--try {option!r}: expected name=1,2,3, name=low..high or name=low..high:log") from None
    return space
