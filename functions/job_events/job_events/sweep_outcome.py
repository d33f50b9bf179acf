"""How a sweep ends: rank the runs, register the best, promote it; each once, however often the end is announced."""

from typing import Any

from mlops.aws.dynamodb import Item
from mlops.aws.jobs_table import TERMINAL, JobsTable
from mlops.aws.promotion_queue import PromotionQueue, request_transition
from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.ranking import RANKED_BY, ranked
from mlops.domain.stages import Stage
from mlops.domain.transition import Transition, new_transition_id
from mlops.registry.rest import Tracking


def end_sweep(
    sweep_id: str, jobs: JobsTable, tracking: Tracking, transitions: TransitionsTable, queue: PromotionQueue
) -> None:
    """Write the outcome of a sweep whose runs have ended.

    The choice (best run, transition id) is written once, by condition; what follows from it may be repeated after a
    crash without doubling anything: registering looks for the run's version first, the transition has a fixed id.
    """
    sweep = jobs.get(sweep_id)
    if sweep["status"] in TERMINAL:
        return
    runs = ranked(jobs.get_many(sweep["job_ids"]))
    best = runs[0] if runs and RANKED_BY in runs[0].get("metrics", {}) else None
    if best is None or runs[0]["status"] != "completed":
        # Somebody may have cancelled the runs one by one.
        cancelled = sweep.get("cancel_requested") or all(run["status"] == "cancelled" for run in runs)
        status = "cancelled" if cancelled else "failed"
        jobs.move(
            sweep_id, status, 1, {"error": None if status == "cancelled" else "No run of the sweep was completed"}
        )
        return
    if not sweep.get("best_job_id"):
        jobs.choose(sweep_id, {"best_job_id": best["job_id"], "transition_id": new_transition_id()})
        sweep = jobs.get(sweep_id)
        best = jobs.get(sweep["best_job_id"])
    outcome: dict[str, Any] = {}
    if sweep["request"]["register_best"]:
        outcome["model_version"] = _register(sweep, best, tracking)
        jobs.update(best["job_id"], outcome)
        if sweep["request"].get("stage"):
            request_transition(transitions, queue, _transition(sweep, best, outcome["model_version"]))
    jobs.move(sweep_id, "cancelled" if sweep.get("cancel_requested") else "completed", 1, outcome)


def _register(sweep: Item, best: Item, tracking: Tracking) -> int:
    run = tracking.run(best["run_id"])
    tags = {name.removeprefix("mlops."): value for name, value in run["tags"].items() if name in _VERSION_TAGS}
    tags |= {"job_id": best["job_id"], "stage": "Registered"}
    return tracking.register(sweep["model_name"], best["run_id"], run["model_id"], tags).version


_VERSION_TAGS = ("mlops.sha256", "mlops.dataset_digest")


def _transition(sweep: Item, best: Item, version: int) -> Transition:
    return Transition(
        transition_id=sweep["transition_id"],
        model_name=sweep["model_name"],
        version=version,
        stage=Stage(sweep["request"]["stage"]),
        actor=sweep.get("actor", "sweep"),
        reason=f"best of {sweep['job_id']}: {best['job_id']}, {RANKED_BY} {best['metrics'][RANKED_BY]:.4f}",
        request_id=sweep.get("request_id"),
    )
