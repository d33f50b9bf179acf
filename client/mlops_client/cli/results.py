"""Outcomes of jobs, sweeps and transitions: what is printed, and the exit code."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import typer
from rich.text import Text

from mlops_client.cli import output, scores, watching
from mlops_client.cli.speech import in_commands
from mlops_client.defaults import DEFAULT_MODEL
from mlops_client.errors import JobFailed, TransitionRefused
from mlops_client.states import UNDER_WAY

if TYPE_CHECKING:
    from mlops_client.client import Client
    from mlops_client.models import Job, SweepState, Transition

TRANSITION_WAIT = 60.0
"""Seconds to wait for the promotion at the end of a sweep."""
REFUSED = ("rejected", "failed")


def finish_job(job: Job, as_json: bool) -> None:
    """Print the outcome of a job. Raises JobFailed, or typer.Exit after JSON: it did not complete."""
    if as_json:
        output.print_json(job)
        if job.status != "completed":
            raise typer.Exit(1)
        return
    if job.status != "completed":
        output.note(f"read its log: mlops logs {job.job_id}")
        raise JobFailed(job, job.job_id)
    out = output.console()
    score = scores.text(job.objective, job.metrics)
    reached = f": {scores.name_of(job.objective)} {score}" if score else ""
    if not score and job.objective:
        reached = f": no {job.objective.name}"
    out.print(f"{job.job_id} completed{reached}", style="green", soft_wrap=True)
    if job.model_version:
        option = "" if job.model_name == DEFAULT_MODEL else f" --model {job.model_name}"
        output.print_line(f"registered as {job.model_name} version {job.model_version}")
        output.note(f"promote it: mlops promote {job.model_version}{option}")


def finish_sweep(client: Client, sweep: SweepState, as_json: bool) -> None:
    """Print the outcome of a sweep, and of the promotion at its end.

    Raises:
        JobFailed: The sweep did not complete.
        typer.Exit: The promotion was refused.
    """
    out = output.console()
    if not as_json and not out.is_terminal:
        watching.show_leaderboard(sweep)
    if sweep.status != "completed":
        if as_json:
            output.print_json(sweep)
        raise JobFailed(sweep, sweep.sweep_id)
    if not as_json and sweep.model_version:
        output.print_line(f"the best model is registered as {sweep.model_name} version {sweep.model_version}")
    transition = _ended_transition(client, sweep)
    if as_json:
        output.print_json(sweep)
    elif transition:
        show_transition(transition)
    if transition and transition.status in REFUSED:
        raise typer.Exit(1)


def show_gates(transition: Transition) -> None:
    """Print the results of the gates."""
    for gate in transition.gates:
        mark = ("ok  ", "green") if gate.passed else ("fail", "red")
        output.console().print(Text.assemble(mark, f"  {gate.check:<10} ", (gate.detail, "dim")), soft_wrap=True)


def show_comparison(transition: Transition) -> None:
    """Print what an approval is about, beside the results of the gate."""
    seen = transition.comparison
    if seen is None:
        return
    name = f"{transition.model_name} version {transition.version}"
    replaced = f"version {seen.replaced_version}" if seen.replaced_version else "nothing"
    output.print_line(f"{name} to {transition.stage}, in place of {replaced}; asked by {transition.actor}")
    for metric in sorted(seen.metrics.keys() & seen.replaced_metrics.keys()):
        output.print_line(f"  {metric}: {seen.replaced_metrics[metric]} -> {seen.metrics[metric]}")
    for change in seen.params:
        output.print_line(f"  {change.name}: {change.before} -> {change.now}")


def show_transition(transition: Transition) -> None:
    """Print the results of the gates, and the outcome."""
    show_gates(transition)
    out = output.console()
    name = f"{transition.model_name} version {transition.version}"
    if transition.status == "succeeded":
        replaced = f", in place of version {transition.replaced_version}" if transition.replaced_version else ""
        out.print(f"{name} is in {transition.stage}{replaced}", style="green", soft_wrap=True)
    elif transition.status == "awaiting_approval":
        left = transition.approvals_needed - len(transition.decisions)
        output.print_line(
            f"{name} waits for {left} approval{'s' if left > 1 else ''} before it goes to {transition.stage}"
        )
        output.note(f"somebody else can approve it: mlops approve {transition.transition_id}")
    elif transition.status == "awaiting_rollout":
        output.print_line(f"{name} is approved, and is rolled out: the rollout {transition.rollout_id} goes on")
    elif transition.status in UNDER_WAY:
        status, history = transition.status, f"mlops history {transition.model_name}"
        output.print_line(f"{transition.transition_id} is {status}; see: {history}")
    else:
        output.complain(in_commands(str(TransitionRefused(transition))))


def _ended_transition(client: Client, sweep: SweepState) -> Transition | None:
    """Return the transition that the sweep requested, once it has ended; None if there is none."""
    if not sweep.transition_id:
        return None
    deadline = time.monotonic() + TRANSITION_WAIT
    while time.monotonic() < deadline:
        transition = client.transition(sweep.transition_id)
        if transition.status not in UNDER_WAY:
            return transition
        time.sleep(0.5)
    output.note(f"the promotion has not ended; see: mlops history {sweep.model_name}")
    return None
