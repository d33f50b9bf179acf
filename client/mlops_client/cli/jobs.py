"""mlops jobs, logs, cancel."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from mlops_client.cli import output, scores, watching
from mlops_client.cli.options import Json, Limit, new_client
from mlops_client.cli.output import ago, duration
from mlops_client.cli.results import finish_job
from mlops_client.cli.tables import Column
from mlops_client.cli.training import Watch
from mlops_client.listing import Listing
from mlops_client.models import Job, SweepState


def register(app: typer.Typer) -> None:
    app.command("jobs")(jobs)
    app.command("logs")(logs)
    app.command("cancel")(cancel)


def jobs(
    identifier: Annotated[
        str | None, typer.Argument(metavar="JOB|SWEEP", help="Show this job or sweep, such as job_000042.")
    ] = None,
    status: Annotated[
        str | None,
        typer.Option(help="Show only jobs that are pending, running, completed, failed, cancelled or pruned."),
    ] = None,
    experiment: Annotated[
        str | None, typer.Option("--experiment", "-e", help="Show only jobs of this experiment.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Show only jobs of this model.")] = None,
    limit: Limit = 20,
    watch: Watch = False,
    as_json: Json = False,
) -> None:
    """List training jobs, or show one job or sweep."""
    client = new_client()
    if identifier and identifier.startswith("sweep_"):
        sweep = client.sweep_state(identifier)
        if watch:
            sweep = watching.watch_sweep(lambda: client.sweep_state(identifier), identifier, quiet=as_json)
        _show_sweep(sweep, as_json)
    elif identifier:
        job = client.job(identifier)
        if watch:
            finish_job(watching.watch_job(lambda: client.job(identifier), identifier, quiet=as_json), as_json)
        elif as_json:
            output.print_json(job)
        else:
            _show_job(job)
    else:
        _list_jobs(client.jobs(status, limit, experiment_name=experiment, model_name=model), as_json)


def logs(
    job_id: Annotated[str, typer.Argument(help="ID of the job, such as job_000042.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for new lines until the job has ended.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Print the lines unchanged, as the job wrote them.")] = False,
    as_json: Json = False,
) -> None:
    """Show the log of a job."""
    out = output.console()
    try:
        for line in new_client().logs(job_id, follow):
            if as_json:
                output.print_json(line)
            else:
                out.print(line.message if raw else readable(line.message), soft_wrap=True)
    except KeyboardInterrupt:
        output.note(f"{job_id} continues. Read its log again: mlops logs -f {job_id}")
        raise typer.Exit(watching.INTERRUPTED) from None


def readable(message: str) -> str:
    """Return a structured log line as `time event name=value …`, and any other line as it is."""
    try:
        fields = json.loads(message)
        event, time = fields.pop("event"), str(fields.pop("time", ""))
    except (ValueError, KeyError, AttributeError, TypeError):
        return message
    for name in ("elapsed", "request_id"):  # --raw shows them
        fields.pop(name, None)
    rest = "  ".join(
        f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}" for name, value in fields.items()
    )
    return f"{time[11:19]}  {event:<18} {rest}".rstrip()


def cancel(
    identifier: Annotated[
        str,
        typer.Argument(
            metavar="JOB|SWEEP|BATCH",
            help="ID of a job; of a sweep, for all its jobs that have not ended; or of a batch prediction.",
        ),
    ],
    as_json: Json = False,
) -> None:
    """Cancel a job, a sweep or a batch prediction."""
    client = new_client()
    is_batch = identifier.startswith("batch_")
    cancelled = client.cancel_batch_prediction(identifier) if is_batch else client.cancel(identifier)
    if as_json:
        output.print_json(cancelled)
    else:
        output.print_line(f"{identifier}: {cancelled.status if cancelled.ended else 'cancelling'}")


def _list_jobs(jobs: Listing[Job], as_json: bool) -> None:
    if as_json:
        output.print_json(jobs)
        return
    head = scores.heading(job.objective for job in jobs)
    columns = [
        Column("job", 9, whole=True),
        Column("status", 8),
        Column("epoch", 4, right=True),
        Column(head, 7, right=True),
        Column("experiment", 3),
        Column("model", 1),
        Column("duration", 2, right=True),
        Column("created", 5, right=True, style="dim"),
    ]
    rows = [
        [
            job.job_id,
            job.status,
            output.progress(job.progress),
            scores.text(job.objective, job.metrics, head),
            job.experiment_name,
            f"{job.model_name} {job.model_version}" if job.model_version else "",
            duration(job.started_at, job.completed_at if job.ended else None),
            ago(job.created_at),
        ]
        for job in jobs
    ]
    output.show(columns, rows, "no jobs; start one: mlops train --watch")
    output.show_limit(jobs)


def _show_job(job: Job) -> None:
    model = f"{job.model_name or ''} version {job.model_version}".strip() if job.model_version else job.model_name
    facts = [
        ("job", job.job_id),
        ("status", job.status),
        ("epoch", output.progress(job.progress, " of ")),
        ("objective", f"{job.objective.direction} {job.objective.name}" if job.objective else None),
        ("experiment", job.experiment_name),
        ("run", job.run_id),
        ("sweep", job.sweep_id),
        ("model", model),
        ("created", f"{job.created_at} ({ago(job.created_at)})"),
        ("duration", duration(job.started_at, job.completed_at if job.ended else None)),
        ("cost", f"about ${job.cost_usd:.4f} on AWS" if job.cost_usd is not None else None),
        ("error", job.error),
    ]
    facts += [(name, f"{value:.6g}") for name, value in job.metrics.items()]
    facts += [(name, str(value)) for name, value in job.params.items()]
    output.show_facts(facts)


def _show_sweep(sweep: SweepState, as_json: bool) -> None:
    if as_json:
        output.print_json(sweep)
    else:
        watching.show_leaderboard(sweep)
