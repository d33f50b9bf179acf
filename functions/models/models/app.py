"""The routes of registered models: their versions, stages and history."""

from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from mlops.api.auth import Caller, require, require_all, require_name
from mlops.api.http import CurrentCaller, PathText, lambda_handler
from mlops.api.pagination import Cursor, PageSize
from mlops.api.schemas.history import KeyEntry, KeyHistory, TransitionHistory, Verification
from mlops.api.schemas.models import Model, ModelDetail, ModelList, ModelVersion
from mlops.api.schemas.settings import SettingsChange, SettingsState
from mlops.api.schemas.transitions import Transition
from mlops.aws.key_history import KeyHistory as KeyChain
from mlops.aws.model_history import ModelHistory
from mlops.aws.serving_bucket import ServedModels
from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.bin import gone
from mlops.domain.errors import NotFound
from mlops.domain.history import Head
from mlops.domain.model_name import unservable_reason
from mlops.domain.names import ModelName
from mlops.domain.stages import ALIASES, Stage
from mlops.domain.transition import TransitionStatus
from mlops.registry.sql.catalogue import Catalogue
from models.model_settings import ModelSettingsStore

router = APIRouter(tags=["models"])
# Whatever MLflow has registered can be read, though not every name can be served.
RegisteredName = Annotated[PathText, Path(description="Name of a registered model")]


@router.get("/models")
def list_models(caller: CurrentCaller, limit: PageSize = 50, cursor: Cursor = None) -> ModelList:
    """List the registered models that the key is for, by name."""
    rows, total, next_cursor = Catalogue.from_environment().models(limit, cursor, caller.models)
    waiting = _awaiting_approval() if rows else {}
    models = [
        Model.model_validate({**row, **_servable(row["name"]), "awaiting_approval": waiting.get(row["name"], 0)})
        for row in rows
    ]
    return ModelList(models=models, total_count=total, next_cursor=next_cursor)


@router.get("/models/{name}")
def model_detail(
    name: RegisteredName, caller: CurrentCaller, limit: PageSize = 100, cursor: Cursor = None
) -> ModelDetail:
    """Get a model, with a page of its versions, newest first."""
    require_name(caller, name)
    catalogue = Catalogue.from_environment()
    model = _model(catalogue, name)
    versions, next_cursor = catalogue.versions(name, limit, cursor)
    production, staging = model["production_version"], model["staging_version"]
    refusals = _refusals(name)
    return ModelDetail(
        name=name,
        production_version=production,
        staging_version=staging,
        production_refusal=refusals.get((Stage.PRODUCTION, production)),
        staging_refusal=refusals.get((Stage.STAGING, staging)),
        **_servable(name),
        versions=[_version(row, caller) for row in versions],
        next_cursor=next_cursor,
    )


@router.get("/models/{name}/history")
def model_history(
    name: RegisteredName,
    caller: CurrentCaller,
    limit: PageSize = 50,
    cursor: Cursor = None,
    verify: Annotated[bool, Query(description="Also check that the history is as it was written")] = False,
) -> TransitionHistory:
    """List the transitions of a model, newest first, with the gate's results.

    The history of a model that was deleted in MLflow stays readable.
    """
    require_name(caller, name)
    table = TransitionsTable.from_environment()
    registered = True
    try:
        Catalogue.from_environment().model(name)
    except NotFound:
        if not table.has_history(name):
            raise
        registered = False
    page = table.history(name, limit, cursor)
    transitions = [Transition.model_validate(transition, from_attributes=True) for transition in page.transitions]
    return TransitionHistory(
        registered=registered,
        transitions=transitions,
        verification=_verification(name) if verify else None,
        next_cursor=page.next_cursor,
    )


@router.get("/models/{name}/settings")
def model_settings(name: ModelName, caller: CurrentCaller) -> SettingsState:
    """Get the settings of a model: of the gate, approvals, drift and retrains, and who owns it."""
    require_name(caller, name)
    _model(Catalogue.from_environment(), name)
    return ModelSettingsStore.from_environment().read(name)


@router.put("/models/{name}/settings")
def change_settings(name: ModelName, body: SettingsChange, caller: CurrentCaller) -> SettingsState:
    """Replace the settings of a model. The history keeps who did it, and why."""
    require_name(caller, name)
    _model(Catalogue.from_environment(), name)
    return ModelSettingsStore.from_environment().change(name, body, caller)


@router.get("/keys/history", tags=["keys"])
def key_history(caller: CurrentCaller) -> KeyHistory:
    """List which API keys were made, changed and revoked, newest first, and check the chain of these entries."""
    require(caller, "admin", "the history of keys")
    require_all(caller, "GET /keys/history, which has the keys of all models,")
    entries, head, problem = KeyChain.from_environment().examined()
    shown = [
        KeyEntry(seq=entry.seq, at=entry.document["at"], sha256=entry.sha256, **entry.document["detail"])
        for entry in reversed(entries)
    ]
    return KeyHistory(entries=shown, verification=_verified(head, problem))


def _model(catalogue: Catalogue, name: str) -> dict[str, Any]:
    """Return a registered model. Raises NotFound, or Gone: it is in the bin."""
    try:
        return catalogue.model(name)
    except NotFound:
        binned = ModelHistory.from_environment().bin.model(name)
        if binned is not None:
            raise gone(binned) from None
        raise


def _verification(name: str) -> Verification:
    return _verified(*ModelHistory.from_environment().verify(name))


def _verified(head: Head | None, problem: str | None) -> Verification:
    return Verification(
        valid=problem is None,
        problem=problem,
        entries=head.seq if head else 0,
        sha256=head.sha256 if head else None,
    )


def _awaiting_approval() -> Counter[str]:
    """Return how many transitions wait for approval, by model."""
    still_open = TransitionsTable.from_environment().still_open()
    return Counter(each.model_name for each in still_open if each.status is TransitionStatus.AWAITING_APPROVAL)


def _servable(name: str) -> dict[str, Any]:
    reason = unservable_reason(name)
    return {"servable": reason is None, "reason": reason}


def _refusals(name: str) -> dict[tuple[Stage, int], str]:
    """Return why the gate would no longer admit what serves, by stage and version.

    A manifest that cannot be read says nothing here: /ready and /metrics report it.
    """
    if unservable_reason(name) is not None:
        return {}
    stages = ServedModels.from_environment().read_all((name, stage) for stage in ALIASES)
    manifests = [(served.stage, served.manifest) for served in stages if served.manifest is not None]
    return {(stage, found.model_version): found.refusal for stage, found in manifests if found.refusal is not None}


def _version(row: dict[str, Any], caller: Caller) -> ModelVersion:
    experiment = row["experiment_name"]
    shown = experiment if experiment is not None and caller.grant.covers(experiment) else None
    return ModelVersion.model_validate({**row, "experiment_name": shown, "created_at": row["created_at"].isoformat()})


handler = lambda_handler(router)
