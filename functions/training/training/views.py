"""Make the API's answers from the records of jobs and sweeps."""

from collections.abc import Iterable

from mlops.api.schemas import objectives, sweeps, training
from mlops.domain.job import Job, JobStatus, Sweep
from mlops.domain.objective import Objective
from mlops.domain.ranking import best_of, objective_of, ranked, unranked


def job_view(job: Job) -> training.Job:
    """Make the answer about a run. Its error is the trainer's own reason, then that of AWS Batch."""
    with_reason = (JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.PRUNED)
    reasons = [job.error, job.batch_reason] if job.status in with_reason else []
    return training.Job(
        job_id=job.job_id,
        run_id=job.run_id,
        sweep_id=job.sweep_id,
        experiment_name=job.experiment_name,
        status=job.status.value,
        progress=training.Progress(epoch=job.epoch, epochs=job.epochs),
        metrics=dict(job.metrics),
        objective=_objective_view(objective_of(job, [job])),
        params=dict(job.params),
        model_name=job.model_name,
        model_version=job.model_version,
        created_at=job.created_at,
        started_at=job.started_at,
        completed_at=job.completed_at,
        cost_usd=job.cost_usd,
        error="; Batch: ".join(reason for reason in reasons if reason) or None,
    )


def sweep_view(sweep: Sweep, runs: Iterable[Job]) -> sweeps.SweepState:
    """Make the answer about a sweep and its runs. Until the sweep has ended, `best` is the best run so far."""
    runs = list(runs)
    objective = objective_of(sweep, runs)
    ranking = ranked(runs, objective)
    best = best_of(ranking, objective)
    costs = [run.cost_usd for run in runs if run.cost_usd is not None]
    return sweeps.SweepState(
        sweep_id=sweep.job_id,
        status=_sweep_status(sweep, ranking).value,
        experiment_name=sweep.experiment_name,
        model_name=sweep.model_name,
        num_runs=len(sweep.job_ids),
        objective=_objective_view(objective),
        runs=[job_view(run) for run in ranking],
        unranked=unranked(ranking, objective),
        best=job_view(best) if best else None,
        model_version=sweep.model_version,
        transition_id=sweep.transition_id if sweep.stage else None,
        created_at=sweep.created_at,
        completed_at=sweep.completed_at,
        cost_usd=round(sum(costs), 4) if costs else None,
        error=sweep.error,
    )


def _objective_view(objective: Objective | None) -> objectives.Objective | None:
    return objectives.Objective.model_validate(objective.document) if objective else None


def _sweep_status(sweep: Sweep, runs: Iterable[Job]) -> JobStatus:
    """Return running if one of the runs has started: AWS Batch never reports an array job as RUNNING."""
    begun = any(run.status is not JobStatus.PENDING for run in runs)
    return JobStatus.RUNNING if sweep.status is JobStatus.PENDING and begun else sweep.status
