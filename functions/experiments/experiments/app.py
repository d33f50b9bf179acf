"""GET /experiments: what was tried, counted, with the best run of each; one run in full; several side by side."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from experiments.artifacts import Artifacts
from experiments.comparison import compare
from mlops.api.http import lambda_handler
from mlops.api.pagination import Cursor, PageSize
from mlops.api.schemas.experiments import (
    Comparison,
    Experiment,
    ExperimentList,
    RunDetail,
    RunList,
    RunRow,
    RunStatus,
)
from mlops.domain.errors import ValidationFailed
from mlops.registry.sql.catalogue import Catalogue

router = APIRouter(tags=["experiments"])
MOST_COMPARED = 10

Name = Annotated[str | None, Query(min_length=1, max_length=200, description="Only those with this in their name")]


@router.get("/experiments")
def list_experiments(
    limit: PageSize = 50,
    cursor: Cursor = None,
    order_by: Annotated[str, Query(max_length=300, description="created_at or name, and asc or desc")] = (
        "created_at desc"
    ),
    name: Name = None,
) -> ExperimentList:
    """Experiments, each with its best run."""
    rows, total, following = Catalogue.from_environment().experiments(limit, cursor, order_by, name)
    return ExperimentList(
        experiments=[Experiment.model_validate(row) for row in rows], total_count=total, next_cursor=following
    )


@router.get("/experiments/{experiment}")
def list_runs(
    experiment: str,
    limit: PageSize = 50,
    cursor: Cursor = None,
    order_by: Annotated[
        str,
        Query(
            max_length=300,
            description="started_at, run_name, status, metrics.<name> or params.<name>, and asc or desc",
        ),
    ] = "started_at desc",
    status: RunStatus | None = None,
    name: Name = None,
) -> RunList:
    """The runs of an experiment, by its name or its id, with their params and metrics."""
    catalogue = Catalogue.from_environment()
    found = catalogue.experiment(experiment)
    rows, total, following = catalogue.runs(found["experiment_id"], limit, cursor, order_by, status, name)
    return RunList(
        experiment_id=str(found["experiment_id"]),
        name=found["name"],
        runs=[RunRow.model_validate(_times(row)) for row in rows],
        total_count=total,
        next_cursor=following,
    )


@router.get("/experiments/{experiment}/runs/{run_id}")
def run_detail(experiment: str, run_id: str) -> RunDetail:
    """One run in full: params, metrics and their history, tags, artifacts."""
    catalogue = Catalogue.from_environment()
    found = catalogue.experiment(experiment)
    (run,) = catalogue.runs_by_id(found["experiment_id"], [run_id])
    places = {"": run["artifact_uri"]} | {
        f"{model['name']}/": model["artifact_uri"] for model in catalogue.logged_models(run_id)
    }
    return RunDetail.model_validate(
        {
            **_times(run),
            "experiment_id": str(found["experiment_id"]),
            "experiment_name": found["name"],
            "artifacts": Artifacts.from_environment().below(places),
            "metric_history": catalogue.metric_history(run_id),
        }
    )


@router.get("/experiments/{experiment}/compare")
def compare_runs(
    experiment: str, runs: Annotated[str, Query(max_length=1000, description="2 to 10 run ids, comma-separated")]
) -> Comparison:
    """Runs side by side: what differs in params and metrics, with the best marked."""
    run_ids = list(dict.fromkeys(part.strip() for part in runs.split(",") if part.strip()))
    if not 2 <= len(run_ids) <= MOST_COMPARED:
        message = f"takes 2 to {MOST_COMPARED} different run ids, comma-separated"
        raise ValidationFailed(f"runs: {message}", errors=[{"field": "runs", "message": message}])
    catalogue = Catalogue.from_environment()
    found = catalogue.experiment(experiment)
    rows = catalogue.runs_by_id(found["experiment_id"], run_ids)
    return compare(str(found["experiment_id"]), found["name"], [RunRow.model_validate(_times(row)) for row in rows])


def _times(row: dict[str, Any]) -> dict[str, Any]:
    given = {name: row[name] for name in ("started_at", "ended_at")}
    return row | {name: at.isoformat() if at else None for name, at in given.items()}


handler = lambda_handler(router)
