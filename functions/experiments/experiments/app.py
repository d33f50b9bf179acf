"""The routes of experiments: lists of experiments, runs and their data sets, one run in full, and comparisons."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query

from experiments.artifacts import Artifacts
from experiments.comparison import compare
from mlops.api.auth import Caller, require_name
from mlops.api.http import CurrentCaller, ExperimentRef, lambda_handler
from mlops.api.pagination import Cursor, PageSize
from mlops.api.schemas.experiments import (
    ArtifactContent,
    ArtifactFileList,
    Comparison,
    DatasetList,
    Experiment,
    ExperimentList,
    RunDetail,
    RunList,
    RunRow,
    RunStatus,
)
from mlops.aws.governance_table import GovernanceTable
from mlops.domain.bin import BinKind, gone, identity_of
from mlops.domain.errors import NotFound, ValidationFailed
from mlops.domain.metric_kinds import own_metrics
from mlops.domain.objective import ACCURACY, Direction, Objective
from mlops.registry.sql.catalogue import Catalogue
from mlops.registry.sql.datasets import Datasets

router = APIRouter(tags=["experiments"])
MAX_COMPARED = 10

Name = Annotated[
    str | None, Query(min_length=1, max_length=200, description="Only those whose name contains this text")
]


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


@router.get("/datasets")
def list_datasets(caller: CurrentCaller, limit: PageSize = 50, cursor: Cursor = None) -> DatasetList:
    """List the data sets that runs have logged, in experiments that the key is for; those of the newest runs first."""
    rows, total, next_cursor = Datasets(Catalogue.from_environment()).page(limit, cursor, caller.models)
    deleted = GovernanceTable.from_environment().datasets.all()
    datasets = [
        row
        | {"last_used_at": _iso(row["last_used_at"])}
        | ({"deleted_at": deleted[row["digest"]].deleted_at} if row["digest"] in deleted else {})
        for row in rows
    ]
    return DatasetList.model_validate({"datasets": datasets, "total_count": total, "next_cursor": next_cursor})


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
    """Get a run: params, metrics and their history, tags, artifacts, its data and its versions."""
    catalogue = Catalogue.from_environment()
    parent = _experiment(catalogue, experiment, caller)
    (run,) = _runs(catalogue, parent, [run_id])
    datasets = Datasets(catalogue)
    return RunDetail.model_validate(
        {
            **_run(run),
            "experiment_id": str(parent["experiment_id"]),
            "experiment_name": parent["name"],
            "artifacts": Artifacts.from_environment().files(_addresses(catalogue, run)),
            "metric_history": catalogue.metric_history(run_id),
            "datasets": datasets.of_run(run_id),
            "versions": datasets.versions_of_run(run_id, caller.models),
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
    (run,) = _runs(catalogue, parent, [run_id])
    found = Artifacts.from_environment().signed(_addresses(catalogue, run), path)
    if path is not None and not found:
        raise NotFound(f"The run has no artifact {path!r}; GET /experiments/{{experiment}}/runs/{{run_id}} lists them")
    return ArtifactFileList(artifacts=found)


@router.get("/experiments/{experiment}/runs/{run_id}/artifacts/content")
def artifact_content(
    experiment: ExperimentRef,
    run_id: str,
    caller: CurrentCaller,
    path: Annotated[str, Query(min_length=1, max_length=1000, description="Path of the file")],
) -> ArtifactContent:
    """Get a small file of a run in the answer, such as a picture or the model card: at most 2 MB."""
    catalogue = Catalogue.from_environment()
    parent = _experiment(catalogue, experiment, caller)
    (run,) = _runs(catalogue, parent, [run_id])
    return Artifacts.from_environment().content(_addresses(catalogue, run), path)


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
    rows = _runs(catalogue, parent, run_ids)
    return compare(str(parent["experiment_id"]), parent["name"], [RunRow.model_validate(_run(row)) for row in rows])


def _experiment(catalogue: Catalogue, name_or_id: str, caller: Caller) -> dict[str, Any]:
    """Return an experiment that the caller's key is for. Raises NotFound, Forbidden, or Gone: it is in the bin."""
    try:
        experiment = catalogue.experiment(name_or_id)
    except NotFound:
        for entry in GovernanceTable.from_environment().bin.all():
            if entry.kind is BinKind.EXPERIMENT and name_or_id in (entry.name, entry.experiment_id):
                require_name(caller, entry.name, "experiment")
                raise gone(entry) from None
        raise
    require_name(caller, experiment["name"], "experiment")
    return experiment


def _runs(catalogue: Catalogue, experiment: dict[str, Any], run_ids: list[str]) -> list[dict[str, Any]]:
    """Return runs of an experiment. Raises NotFound, or Gone: one of them is in the bin."""
    try:
        return catalogue.runs_by_id(experiment["experiment_id"], run_ids)
    except NotFound:
        records = GovernanceTable.from_environment().bin
        for run_id in run_ids:
            entry = records.find(identity_of(BinKind.RUN, "", run_id=run_id))
            if entry is not None and entry.experiment_id == str(experiment["experiment_id"]):
                raise gone(entry) from None
        raise


def _addresses(catalogue: Catalogue, run: dict[str, Any]) -> dict[str, str | None]:
    """Return the addresses of a run's files by the prefixes of their paths: its own, and those of its models.

    The model that a run is registered by is `model/`, whatever it is called; others have the name that they were given.
    """
    main = run["tags"].get("mlops.model_uri", "").removeprefix("models:/")
    models = catalogue.logged_models(run["run_id"])
    named = {"model" if model["model_id"] == main else model["name"]: model["artifact_uri"] for model in models}
    return {"": run["artifact_uri"]} | {f"{name}/": address for name, address in named.items()}


def _objective(experiment: dict[str, Any]) -> Objective:
    """Return what the runs of an experiment are ranked by, from a row of the catalogue."""
    found = experiment["objective"]
    return Objective(found["name"], Direction(found["direction"])) if found else ACCURACY


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _run(row: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a RunRow from a row of the catalogue."""
    times = {name: _iso(row[name]) for name in ("started_at", "ended_at")}
    return row | times | {"own_metrics": own_metrics([row["metrics"]])}


handler = lambda_handler(router)
