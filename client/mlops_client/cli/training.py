"""mlops train, sweep, jobs, logs, cancel."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from mlops_client.cli import output, watching
from mlops_client.cli.options import DEFAULT_MODEL, Json, Limit, client
from mlops_client.cli.output import Column, ago, percent, took
from mlops_client.errors import BadInput, JobFailed
from mlops_client.models import Job, SweepState


def register(app: typer.Typer) -> None:
    app.command("train")(train)
    app.command("sweep")(sweep)
    app.command("jobs")(jobs)
    app.command("logs")(logs)
    app.command("cancel")(cancel)


Dataset = Annotated[
    str | None,
    typer.Option(
        "--dataset", "-d", help="digits, mnist, or the s3:// or https:// address of an npz or CSV file. [digits]"
    ),
]
ModelType = Annotated[str | None, typer.Option(help="mlp, cnn, logistic_regression, random_forest, svm. [mlp]")]
Experiment = Annotated[str | None, typer.Option("--experiment", "-e", help="Name of the experiment.")]
Model = Annotated[str | None, typer.Option("--model", "-m", help="Name of the registered model.")]
Watch = Annotated[bool, typer.Option("--watch/--no-watch", "-w", help="Follow it to its end.")]
Key = Annotated[str | None, typer.Option(help="Sent again with the same request, it is done once.")]


def train(
    learning_rate: Annotated[float | None, typer.Option(help="1e-5 to 1. [0.001]")] = None,
    epochs: Annotated[int | None, typer.Option(help="1 to 100. [10]")] = None,
    batch_size: Annotated[int | None, typer.Option(help="8 to 512. [64]")] = None,
    hidden_size: Annotated[int | None, typer.Option(help="Units of the hidden layer, 32 to 512. [128]")] = None,
    dropout: Annotated[float | None, typer.Option(help="0 to 0.5. [0.2]")] = None,
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
    """Train a model. With --watch: its progress, to the end."""
    given = {name: value for name, value in locals().items() if name not in ("watch", "as_json")}
    here = client()
    run = here.train(**given)
    if not watch:
        if as_json:
            output.print_json(run.status())
        else:
            output.console().print(f"{run.job_id} started; watch it: mlops jobs {run.job_id} --watch", soft_wrap=True)
        return
    _end_of_job(watching.watch_job(run.status, run.job_id, quiet=as_json), as_json)


def sweep(
    num_runs: Annotated[int | None, typer.Option("--num-runs", "-n", help="1 to 100. [10]")] = None,
    strategy: Annotated[str | None, typer.Option(help="random or grid. [random]")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed draws the same runs. [42]")] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of each run, 1 to 100. [10]")] = None,
    space: Annotated[
        list[str] | None,
        typer.Option(
            "--try",
            "-t",
            help="What to try: hidden_size=64,128 for values, learning_rate=0.001..0.01 for a range, "
            "learning_rate=0.001..0.01:log for one drawn in the logarithm. Can be given several times.",
        ),
    ] = None,
    model_type: ModelType = None,
    dataset: Dataset = None,
    experiment_name: Experiment = None,
    model_name: Model = None,
    register_best: Annotated[
        bool, typer.Option("--register-best/--no-register-best", help="Register the best run's model at the end.")
    ] = True,
    stage: Annotated[str | None, typer.Option(help="Promote the best to Staging or Production.")] = None,
    watch: Watch = True,
    idempotency_key: Key = None,
    as_json: Json = False,
) -> None:
    """Train several models with different hyperparameters and watch the leaderboard."""
    given = {name: value for name, value in locals().items() if name not in ("watch", "as_json", "space")}
    here = client()
    started = here.sweep(space=parse_space(space) if space else None, **given)
    if not watch:
        if as_json:
            output.print_json(started.status())
        else:
            output.console().print(
                f"{started.sweep_id} started; watch it: mlops jobs {started.sweep_id} --watch", soft_wrap=True
            )
        return
    _end_of_sweep(watching.watch_sweep(started.status, started.sweep_id, quiet=as_json), as_json)


def parse_space(wishes: list[str]) -> dict[str, Any]:
    """`name=1,2` and `name=low..high[:log]` as the API's space. Raises BadInput."""
    space: dict[str, Any] = {}
    for wish in wishes:
        name, _, values = wish.partition("=")
        try:
            if ".." in values:
                ends, _, kind = values.partition(":")
                low, high = (float(end) for end in ends.split(".."))
                if kind not in ("", "log"):
                    raise ValueError(kind)
                space[name.strip()] = {"low": low, "high": high, "log": kind == "log"}
            else:
                space[name.strip()] = [float(value) for value in values.split(",")]
        except ValueError:
            raise BadInput(f"--try {wish!r} is neither name=1,2,3 nor name=low..high nor name=low..high:log") from None
    return space


def jobs(
    identifier: Annotated[str | None, typer.Argument(metavar="JOB|SWEEP", help="Show this one alone.")] = None,
    status: Annotated[
        str | None, typer.Option(help="Only pending, running, completed, failed or cancelled ones.")
    ] = None,
    limit: Limit = 20,
    watch: Watch = False,
    as_json: Json = False,
) -> None:
    """List training jobs, or show one job or sweep."""
    here = client()
    if identifier and identifier.startswith("sweep_"):
        state = here.sweep_state(identifier)
        if watch:
            state = watching.watch_sweep(lambda: here.sweep_state(identifier), identifier, quiet=as_json)
        _show_sweep(state, as_json)
    elif identifier:
        job = here.job(identifier)
        if watch:
            _end_of_job(watching.watch_job(lambda: here.job(identifier), identifier, quiet=as_json), as_json)
        elif as_json:
            output.print_json(job)
        else:
            _show_job(job)
    else:
        _list_jobs(here.jobs(status, limit), as_json)


def logs(
    job_id: Annotated[str, typer.Argument(help="The job, such as job_000042.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="The lines as they were written.")] = False,
    as_json: Json = False,
) -> None:
    """Show what a job has written."""
    out = output.console()
    try:
        for line in client().logs(job_id, follow):
            if as_json:
                output.print_json(line)
            else:
                out.print(line.message if raw else readable(line.message), soft_wrap=True)
    except KeyboardInterrupt:
        output.note(f"{job_id} is not touched by this; read on: mlops logs -f {job_id}")
        raise typer.Exit(watching.INTERRUPTED) from None


def readable(message: str) -> str:
    """A structured log line as `time event name=value …`; any other line as it is."""
    try:
        fields = json.loads(message)
        event, at = fields.pop("event"), str(fields.pop("time", ""))
    except (ValueError, KeyError, AttributeError, TypeError):
        return message
    for name in ("elapsed", "request_id"):  # --raw has them
        fields.pop(name, None)
    rest = "  ".join(
        f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}" for name, value in fields.items()
    )
    return f"{at[11:19]}  {event:<18} {rest}".rstrip()


def cancel(
    identifier: Annotated[str, typer.Argument(metavar="JOB|SWEEP", help="A job, or a sweep with all that still runs.")],
    as_json: Json = False,
) -> None:
    """Cancel a job or a sweep."""
    found = client().cancel(identifier)
    if as_json:
        output.print_json(found)
    else:
        output.console().print(f"{identifier}: {found.status if found.ended else 'cancelling'}")


def _list_jobs(found: Any, as_json: bool) -> None:
    if as_json:
        output.print_json(found)
        return
    columns = [
        Column("job", 9),
        Column("status", 8),
        Column("epoch", 4, right=True),
        Column("accuracy", 7, right=True),
        Column("experiment", 3),
        Column("model", 1),
        Column("took", 2, right=True),
        Column("created", 5, right=True, style="dim"),
    ]
    rows = [
        [
            job.job_id,
            job.status,
            f"{job.progress.epoch}/{job.progress.epochs}",
            percent(watching.accuracy(job)),
            job.experiment_name,
            " ".join(str(each) for each in (job.model_name, job.model_version) if each and job.model_version),
            took(job.started_at, job.completed_at if job.ended else None),
            ago(job.created_at),
        ]
        for job in found
    ]
    output.show(columns, rows, "no jobs; start one: mlops train --watch")
    if found.total_count > len(found):
        output.note(f"{len(found)} of {found.total_count}; more: --limit")


def _show_job(job: Job) -> None:
    facts = [
        ("job", job.job_id),
        ("status", job.status),
        ("epoch", f"{job.progress.epoch} of {job.progress.epochs}"),
        ("experiment", job.experiment_name),
        ("run", job.run_id),
        ("sweep", job.sweep_id),
        (
            "model",
            f"{job.model_name or ''} version {job.model_version}".strip() if job.model_version else job.model_name,
        ),
        ("created", f"{job.created_at} ({ago(job.created_at)})"),
        ("took", took(job.started_at, job.completed_at if job.ended else None)),
        ("error", job.error),
    ]
    facts += [(name, f"{value:.6g}") for name, value in job.metrics.items()]
    facts += [(name, str(value)) for name, value in job.params.items()]
    out = output.console()
    for name, value in facts:
        if value:
            out.print(f"{name:<18} {value}", style="red" if name == "error" else None, soft_wrap=True)


def _end_of_job(job: Job, as_json: bool) -> None:
    """Say what came of it; exit code 1 if it is not what was wanted."""
    if as_json:
        output.print_json(job)
        if job.status != "completed":
            raise typer.Exit(1)
        return
    if job.status != "completed":
        output.note(f"what it wrote: mlops logs {job.job_id}")
        raise JobFailed(job, job.job_id)
    out = output.console()
    out.print(f"{job.job_id} completed: accuracy {percent(watching.accuracy(job))}", style="green", soft_wrap=True)
    if job.model_version:
        more = "" if job.model_name == DEFAULT_MODEL else f" --model {job.model_name}"
        out.print(f"registered as {job.model_name} version {job.model_version}", soft_wrap=True)
        output.note(f"promote it: mlops promote {job.model_version}{more}")


def _show_sweep(sweep: SweepState, as_json: bool) -> None:
    if as_json:
        output.print_json(sweep)
    else:
        out = output.console()
        out.print(watching.leaderboard(sweep, out))


def _end_of_sweep(sweep: SweepState, as_json: bool) -> None:
    from mlops_client.cli.registry import show_transition

    out = output.console()
    if not as_json and not out.is_terminal:
        out.print(watching.leaderboard(sweep, out))
    if sweep.status != "completed":
        if as_json:
            output.print_json(sweep)
        raise JobFailed(sweep, sweep.sweep_id)
    if not as_json and sweep.model_version:
        out.print(f"the best is registered as {sweep.model_name} version {sweep.model_version}", soft_wrap=True)
    moved = _moved(sweep)
    if as_json:
        output.print_json(sweep)
    elif moved:
        show_transition(moved)
    if moved and moved.status in ("rejected", "failed"):
        raise typer.Exit(1)


def _moved(sweep: SweepState) -> Any:
    """The transition a sweep asked for, once it has ended; None if it asked for none."""
    import time

    if not sweep.transition_id:
        return None
    here = client()
    for _ in range(120):
        moved = here.transition(sweep.transition_id)
        if moved.status != "queued":
            return moved
        time.sleep(0.5)
    output.note(f"the promotion is still queued; see: mlops history --model {sweep.model_name}")
    return None
