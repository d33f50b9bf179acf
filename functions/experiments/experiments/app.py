"""The routes of experiments: lists of experiments and runs, one run in full, and comparisons."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from experiments.artifacts import Artifacts
from experiments.comparison import compare
from mlops.api.auth import Caller, require_name
from mlops.api.http import CurrentCaller, PathText, lambda_handler
from mlops.api.pagination import Cursor, PageSize
from mlops.api.schemas.experiments import (
    ArtifactFileList,
    Comparison,
    Experiment,
    ExperimentList,
    RunDetail,
    RunList,
    RunRow,
    RunStatus,
)
from mlops.domain.errors import NotFound, ValidationFailed
from mlops.domain.metric_kinds import own_metrics
from mlops.domain.objective import ACCURACY, Direction, Objective
from mlops.registry.sql.catalogue import Catalogue

router = APIRouter(tags=["experiments"])
MAX_COMPARED = 10

Name = Annotated[
    str | None, Query(min_length=1, max_length=200, description="Only those whose name contains this text")
]
ExperimentRef = Annotated[PathText, Path(description="Name or id of an experiment; a slash in the name is sent as %2F")]


@router.get("/experiments")
def list_experiments(
    caller: CurrentCaller,
    limit: PageSize = 50,
    cursor: Cursor = None,
    order_by: Annotated[str, Query(max_length=300, description="created_at or name, and asc or desc")] = (
        "created_at desc"
    ),
    name: Name = None,
) -> ExperimentList:
    """List the experiments that the key is for, each with its best run."""
    found = Catalogue.from_environment().experiments(limit, cursor, order_by, name, caller.models)
    rows, total, next_cursor = found
    experiments = [Experiment.model_validate(row | {"objective": _objective(row).document}) for row in rows]
    return ExperimentList(experiments=experiments, total_count=total, next_cursor=next_cursor)


@router.get("/experiments/{experiment}")
def list_runs(
    experiment: ExperimentRef,
    caller: CurrentCaller,
    limit: PageSize = 50,
    cursor: Cursor = None,
    order_by: Annotated[
        str,
        Query(
            max_length=300,
            description="started_at, run_name, status, objective, metrics.<name> or params.<name>, and asc or desc; "
            "put a name with a space in backticks. With `objective desc` the best runs come first, whatever the "
            "direction; runs without the experiment's objective come last",
        ),
    ] = "started_at desc",
    status: RunStatus | None = None,
    name: Name = None,
) -> RunList:
    """List the runs of an experiment, with their params and metrics."""
    catalogue = Catalogue.from_environment()
    parent = _experiment(catalogue, experiment, caller)
    objective = _objective(parent)
    rows, total, next_cursor = catalogue.runs(parent["experiment_id"], limit, cursor, order_by, status, name, objective)
    return RunList.model_validate(
        {
            "experiment_id": str(parent["experiment_id"]),
            "name": parent["name"],
            "objective": objective.document,
            "runs": [_run(row) for row in rows],
            "total_count": total,
            "next_cursor": next_cursor,
        }
    )


@router.get("/experiments/{experiment}/runs/{run_id}")
def run_detail(experiment: ExperimentRef, run_id: str, caller: CurrentCaller) -> RunDetail:
    """Get a run: params, metrics and their history, tags and artifacts."""
    catalogue = Catalogue.from_environment()
    parent = _experiment(catalogue, experiment, caller)
    (run,) = catalogue.runs_by_id(parent["experiment_id"], [run_id])
    return RunDetail.model_validate(
        {
            **_run(run),
            "experiment_id": str(parent["experiment_id"]),
            "experiment_name": parent["name"],
            "artifacts": Artifacts.from_environment().files(_addresses(catalogue, run)),
            "metric_history": catalogue.metric_history(run_id),
        }
    )


@router.get("/experiments/{experiment}/runs/{run_id}/artifacts")
def run_artifacts(
    experiment: ExperimentRef,
    run_id: str,
    caller: CurrentCaller,
    path: Annotated[
        str | None, Query(min_length=1, max_length=1000, description="Only this file, or the files in this folder")
    ] = None,
) -> ArtifactFileList:
    """Get addresses from which the files of a run can be downloaded."""
    catalogue = Catalogue.from_environment()
    parent = _experiment(catalogue, experiment, caller)
    (run,) = catalogue.runs_by_id(parent["experiment_id"], [run_id])
    found = Artifacts.from_environment().signed(_addresses(catalogue, run), path)
    if path is not None and not found:
        raise NotFound(f"The run has no artifact {path!r}; GET /experiments/{{experiment}}/runs/{{run_id}} lists them")
    return ArtifactFileList(artifacts=found)


@router.get("/experiments/{experiment}/compare")
def compare_runs(
    experiment: ExperimentRef,
    caller: CurrentCaller,
    runs: Annotated[str, Query(max_length=1000, description="2 to 10 run ids, comma-separated")],
) -> Comparison:
    """Compare runs: the params and metrics that differ, and the best run of each metric."""
    run_ids = list(dict.fromkeys(part.strip() for part in runs.split(",") if part.strip()))
    if not 2 <= len(run_ids) <= MAX_COMPARED:
        raise ValidationFailed.of_field("runs", f"takes 2 to {MAX_COMPARED} different run ids, comma-separated")
    catalogue = Catalogue.from_environment()
    parent = _experiment(catalogue, experiment, caller)
    rows = catalogue.runs_by_id(parent["experiment_id"], run_ids)
    return compare(str(parent["experiment_id"]), parent["name"], [RunRow.model_validate(_run(row)) for row in rows])


def _experiment(catalogue: Catalogue, name_or_id: str, caller: Caller) -> dict[str, Any]:
    """Return an experiment that the caller's key is for. Raises NotFound, Forbidden."""
    experiment = catalogue.experiment(name_or_id)
    require_name(caller, experiment["name"], "experiment")
    return experiment


def _addresses(catalogue: Catalogue, run: dict[str, Any]) -> dict[str, str | None]:
    """Return the addresses of a run's files by the prefixes of their paths: its own, and those of its models."""
    models = catalogue.logged_models(run["run_id"])
    return {"": run["artifact_uri"]} | {f"{model['name']}/": model["artifact_uri"] for model in models}


def _objective(experiment: dict[str, Any]) -> Objective:
    """Return what the runs of an experiment are ranked by, from a row of the catalogue."""
    found = experiment["objective"]
    return Objective(found["name"], Direction(found["direction"])) if found else ACCURACY


def _run(row: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a RunRow from a row of the catalogue."""
    times = {name: row[name].isoformat() if row[name] else None for name in ("started_at", "ended_at")}
    return row | times | {"own_metrics": own_metrics([row["metrics"]])}


handler = lambda_handler(router)
