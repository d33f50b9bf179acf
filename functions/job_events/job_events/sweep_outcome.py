"""End a sweep: rank its runs, register the best one, and request its promotion. Each happens once."""

from mlops.aws.jobs_table import JobsTable
from mlops.aws.promotion_queue import PromotionQueue, request_transition
from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.job import Job, JobStatus, Sweep
from mlops.domain.objective import SUMMARY_TAG, Objective
from mlops.domain.ranking import best_of, objective_of, unranked
from mlops.domain.stages import Stage
from mlops.domain.transition import Transition, new_transition_id
from mlops.registry.rest import Tracking


def end_sweep(
    sweep_id: str, jobs: JobsTable, tracking: Tracking, transitions: TransitionsTable, queue: PromotionQueue
) -> None:
    """Record the outcome of a sweep whose runs have ended.

    A conditional write stores the choice (best run, transition id) once. The next steps can be repeated after a crash:
    registering first looks for the run's version, and the transition has a fixed id.
    """
    sweep = jobs.sweep(sweep_id)
    if sweep.status.has_ended:
        return
    runs = jobs.get_many(sweep.job_ids)
    objective = objective_of(sweep, runs)
    best = best_of(runs, objective)
    if objective is None or best is None:
        # The runs may have been cancelled one by one.
        if sweep.cancel_requested or all(run.status is JobStatus.CANCELLED for run in runs):
            jobs.move(sweep_id, JobStatus.CANCELLED, 1)
        else:
            jobs.move(sweep_id, JobStatus.FAILED, 1, error=_failure(runs, objective))
        return
    if sweep.best_job_id is None:
        jobs.choose(sweep_id, best.job_id, new_transition_id())
        sweep = jobs.sweep(sweep_id)
        best = jobs.job(sweep.best_job_id or best.job_id)
    version = None
    if sweep.register_best:
        version = _register(sweep, best, tracking)
        jobs.update(best.job_id, model_version=version)
        if sweep.stage:
            request_transition(transitions, queue, _transition(sweep, best, version, objective))
    status = JobStatus.CANCELLED if sweep.cancel_requested else JobStatus.COMPLETED
    jobs.move(sweep_id, status, 1, model_version=version)


def _failure(runs: list[Job], objective: Objective | None) -> str:
    """Return why a sweep has no best run."""
    reasons = unranked(runs, objective)
    if not reasons:
        return "No run of the sweep completed; see the errors of its runs"
    listed = "; ".join(f"{job_id}: {reason}" for job_id, reason in list(reasons.items())[:_LISTED])
    return f"No completed run of the sweep can be ranked ({listed}); choose another objective, or let the runs log it"


def _register(sweep: Sweep, best: Job, tracking: Tracking) -> int:
    if best.run_id is None:
        raise LookupError(f"{best.job_id} has completed, but its record has no MLflow run to register")
    run = tracking.run(best.run_id)
    tags = {name.removeprefix("mlops."): value for name, value in run["tags"].items() if name in _VERSION_TAGS}
    tags |= {"job_id": best.job_id, "stage": "Registered"}
    return tracking.register(sweep.model_name, best.run_id, run["model_id"], tags, run["tags"].get(SUMMARY_TAG)).version


_VERSION_TAGS = ("mlops.sha256", "mlops.dataset_digest", "mlops.objective", "mlops.direction", "mlops.task")
_LISTED = 5


def _transition(sweep: Sweep, best: Job, version: int, objective: Objective) -> Transition:
    assert sweep.transition_id is not None, "the choice of the best run names the transition"
    return Transition(
        transition_id=sweep.transition_id,
        model_name=sweep.model_name,
        version=version,
        stage=Stage(str(sweep.stage)),
        actor=sweep.actor or "sweep",
        actor_owner=sweep.actor_owner,
        reason=f"best of {sweep.job_id}: {best.job_id}, {objective.name} {best.metrics[objective.name]:.6g}",
        request_id=sweep.request_id,
        competes=sweep.is_retrain,
    )
