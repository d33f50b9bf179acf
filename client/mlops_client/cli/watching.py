"""Progress of jobs, sweeps and batch predictions: live on a terminal, otherwise one line per change."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.text import Text

from mlops_client.cli import output, scores
from mlops_client.cli.drawing import sparkline
from mlops_client.cli.output import number
from mlops_client.cli.tables import STATUS_STYLES, Column, styled, table
from mlops_client.models import BatchPredictionState, Job, LabelImportState, SweepState

T = TypeVar("T", Job, SweepState, BatchPredictionState, LabelImportState)
POLL_SECONDS = 0.7
INTERRUPTED = 130
LOSSES = ("val_loss", "train_loss")


def watch_job(read: Callable[[], Job], job_id: str, quiet: bool = False) -> Job:
    """Show a job's progress until it has ended. Ctrl-C ends the display, not the job."""
    curve = Curve()

    def line(job: Job) -> str:
        score = scores.value(job.objective, job.metrics)
        suffix = f" {scores.name_of(job.objective)} {score:.4g}" if score is not None else ""
        return f"{job.job_id} {job.status} {output.progress(job.progress)}{suffix}"

    def view(job: Job, out: Console) -> Any:
        curve.add(job)
        return _job_view(job, curve, out)

    return _watch(read, view, line, job_id, quiet)


def watch_sweep(read: Callable[[], SweepState], sweep_id: str, quiet: bool = False) -> SweepState:
    """Show a sweep's ranked runs until it has ended. Ctrl-C ends the display, not the sweep."""

    def line(sweep: SweepState) -> str:
        ended = sum(run.ended for run in sweep.runs)
        best = scores.text(sweep.objective, sweep.runs[0].metrics) if sweep.runs else ""
        suffix = f", best so far {sweep.runs[0].job_id} {best}" if best else ""
        return f"{sweep.sweep_id} {sweep.status} {ended}/{sweep.num_runs} runs ended{suffix}"

    return _watch(read, _leaderboard, line, sweep_id, quiet)


def watch_batch_prediction(
    read: Callable[[], BatchPredictionState], batch_id: str, quiet: bool = False
) -> BatchPredictionState:
    """Show how far a batch prediction is until it has ended. Ctrl-C ends the display, not the batch prediction."""

    def line(state: BatchPredictionState) -> str:
        rate = f", {state.rows_per_second:,.0f} rows/s" if state.rows_per_second and not state.ended else ""
        aside = f", {state.rejected:,} set aside" if state.rejected else ""
        done = f"{state.shards_done}/{state.shards} shards, {state.rows:,} rows"
        return f"{state.batch_id} {state.status} {done}{aside}{rate}"

    return _watch(read, lambda state, _: Text(line(state)), line, batch_id, quiet, "batch-predictions")


def watch_label_import(read: Callable[[], LabelImportState], import_id: str, quiet: bool = False) -> LabelImportState:
    """Show how far an import of labels is until it has ended. Ctrl-C ends the display, not the import."""

    def line(state: LabelImportState) -> str:
        return f"{state.import_id} {state.status} {state.rows:,} rows"

    return _watch(read, lambda state, _: Text(line(state)), line, import_id, quiet, "label-imports", can_cancel=False)


class Curve:
    """The objective after each epoch that was read."""

    def __init__(self) -> None:
        self._by_epoch: dict[int, float] = {}

    def add(self, job: Job) -> None:
        score = job.metrics.get(f"val_{scores.name_of(job.objective)}")
        if score is not None:
            self._by_epoch[job.progress.epoch] = score

    @property
    def values(self) -> list[float]:
        return [self._by_epoch[epoch] for epoch in sorted(self._by_epoch)]


def show_leaderboard(sweep: SweepState) -> None:
    """Print a sweep's runs, the best first."""
    out = output.console()
    if out.is_terminal:
        out.print(_leaderboard(sweep, out))
        return
    output.show(*_ranking(sweep, out))
    output.note(_heading(sweep).plain)
    for reason in _unranked(sweep):
        output.note(reason.plain)


def _leaderboard(sweep: SweepState, out: Console) -> Any:
    columns, rows = _ranking(sweep, out)
    return Group(_heading(sweep), table(columns, rows, out.width), *_unranked(sweep))


def _heading(sweep: SweepState) -> Text:
    ended = sum(run.ended for run in sweep.runs)
    style = STATUS_STYLES.get(sweep.status, "")
    return Text.assemble(
        (sweep.sweep_id, "bold"), "  ", (sweep.status, style), f"  {ended}/{sweep.num_runs} runs ended"
    )


def _unranked(sweep: SweepState) -> list[Text]:
    return [Text(f"{job_id} has no rank: {reason}", style="dim") for job_id, reason in sweep.unranked.items()]


def _ranking(sweep: SweepState, out: Console) -> tuple[list[Column], list[list[Any]]]:
    """Return the columns of a sweep's runs, and their rows, the best first."""
    columns = [Column("#", 8, right=True), Column("job", 9, whole=True), Column("status", 6), Column("progress", 5)]
    columns += [Column(scores.name_of(sweep.objective), 9, right=True)]
    names = [name for name in ("learning_rate", "hidden_size", "dropout", "batch_size") if _varies(sweep, name)]
    columns += [Column(name.replace("_", " "), 4 - place, right=True) for place, name in enumerate(names)]
    rows: list[list[Any]] = []
    for place, run in enumerate(sweep.runs, start=1):
        best = sweep.best is not None and run.job_id == sweep.best.job_id
        score = "unranked" if run.job_id in sweep.unranked else scores.text(sweep.objective, run.metrics)
        rows.append(
            [
                place,
                styled(run.job_id, "bold green" if best else ""),
                run.status,
                _bar(run, out, 12),
                styled(score, "bold green" if best else ""),
                *(number(run.params.get(name), 3) for name in names),
            ]
        )
    return columns, rows


def _job_view(job: Job, curve: Curve, out: Console) -> Any:
    head = Text.assemble((job.job_id, "bold"), "  ", (job.status, STATUS_STYLES.get(job.status, "")), "  ")
    head.append(f"epoch {output.progress(job.progress)}  {output.duration(job.started_at, job.completed_at)}")
    # A bar by itself does not end its line.
    parts: list[Any] = [head, Padding(_bar(job, out, min(60, out.width - 2)), 0)]
    score = scores.text(job.objective, job.metrics)
    if score:
        name = f"{scores.name_of(job.objective)} "
        text = Text.assemble(name, (score, "bold"), "  ", (sparkline(curve.values, out), "cyan"))
        losses = [f"{name.replace('_', ' ')} {job.metrics[name]:.4f}" for name in LOSSES if name in job.metrics]
        if losses and out.width >= 70:
            text.append("  " + "  ".join(losses), style="dim")
        parts.append(text)
    return Group(*parts)


def _bar(job: Job, out: Console, width: int) -> Any:
    if not out.is_terminal:
        return Text(output.progress(job.progress))
    return ProgressBar(
        total=max(1, job.progress.epochs),
        completed=job.progress.epoch,
        width=width,
        complete_style="cyan",
        finished_style="green",
    )


def _watch(
    read: Callable[[], T],
    view: Callable[[T, Console], Any],
    line: Callable[[T], str],
    name: str,
    quiet: bool,
    command: str = "jobs",
    can_cancel: bool = True,
) -> T:
    out = output.console(stderr=quiet)
    state: T | None = None
    try:
        if out.is_terminal and not quiet:
            with Live(console=out, refresh_per_second=8) as live:
                for state in _states(read):
                    live.update(view(state, out))
        else:
            printed = ""
            for state in _states(read):
                if (current := line(state)) != printed:
                    out.print(current, soft_wrap=True)
                    printed = current
    except KeyboardInterrupt:
        again = f"mlops {command} {name} --watch"
        cancel = f"   Cancel it: mlops cancel {name}" if can_cancel else ""
        output.note(f"{name} continues. Watch it again: {again}{cancel}")
        raise typer.Exit(INTERRUPTED) from None
    assert state is not None
    return state


def _states(read: Callable[[], T]) -> Iterator[T]:
    while True:
        state = read()
        yield state
        if state.ended:
            return
        time.sleep(POLL_SECONDS)


def _varies(sweep: SweepState, name: str) -> bool:
    return any(name in run.params for run in sweep.runs)
