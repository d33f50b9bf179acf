"""The predict function: POST /predict, /predict/batch and /predict/staging, DELETE /predict/cache, and the protocols.

This module runs at every cold start and in every request, so it does not import FastAPI, pydantic, Powertools or boto3.
The published schema is `mlops.api.schemas.predict`, and a test compares it with the handler.
"""

import gc
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# Before numpy is imported: its BLAS would start one thread per processor, for products that take microseconds.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from mlops.domain.access import Grant
from mlops.domain.errors import PlatformError
from mlops.settings import Settings
from predict import records, request
from predict.access import Access, permit
from predict.answering import Answering
from predict.feedback import ids, new_id, with_id
from predict.model_cache import ModelCache, ServedModel
from predict.replies import ok, problem_of, unexpected
from predict.response_cache import Answer, AnswerCache, key_of
from predict.rollouts import Rollouts
from predict.s3 import Bucket

Event = dict[str, Any]
Response = dict[str, Any]


@dataclass(frozen=True)
class PredictSettings(Settings):
    """Settings of the function.

    Attributes:
        model_refresh_seconds: The shortest time between two comparisons of a model with its manifest.
        sample_share: The share of requests whose inputs are kept; see `predict.samples`.
    """

    artifact_bucket: str
    default_model_name: str
    model_refresh_seconds: float = 10.0
    sample_share: float = 0.0


settings = PredictSettings.from_environment()
bucket = Bucket.from_environment(settings.artifact_bucket)
models = ModelCache(bucket, settings.model_refresh_seconds, records.report)
rollouts = Rollouts(bucket, models, settings.model_refresh_seconds, records.report)
access = Access(bucket, records.report)
answering = Answering(bucket, settings.sample_share)
answers = AnswerCache()

ROUTES = {
    "/predict": (request.SINGLE, "Production"),
    "/predict/batch": (request.BATCH, "Production"),
    "/predict/staging": (request.SINGLE, "Staging"),
}


def handler(event: Event, context: Any) -> Response:
    """Answer one API Gateway proxy event. Every error, of any kind, is answered with a problem document."""
    began = time.perf_counter()
    request_id = event["requestContext"]["requestId"]
    path = event.get("resource") or event["path"]
    method = event["httpMethod"]
    route = ROUTES.get(path) if method == "POST" else None
    try:
        if route is not None:
            grant = access.grant(event)
            return predict(event, path, route[0], route[1], grant, request_id, began)
        if path == "/predict/cache" and method == "DELETE":
            from predict.cache_epoch import raise_epoch  # needs boto3, which no prediction should wait for

            return raise_epoch(event, request_id, settings.default_model_name)
        from predict import called, protocols  # only for those who use them

        call = called.Call(event, request_id, began, models, settings.default_model_name, answering.ask, access.grant)
        return protocols.answer(call, method, path)
    except PlatformError as error:
        records.refused(request_id, path, error.status, error.code, began, predicts=method == "POST")
        return problem_of(error, request_id)
    except Exception as error:
        records.failed(request_id, path, error, began, predicts=method == "POST")
        return unexpected(request_id)


def predict(
    event: Event, path: str, fields: request.Fields, stage: str, grant: Grant | None, request_id: str, began: float
) -> Response:
    """Answer with the stage's current model, or repeat the answer that the same model gave to the same body.

    A request that names a version is answered by it, from any stage that the route may ask. During a rollout, another
    one may be answered by the challenger.
    """
    body, explain = request.text_of(event), request.explain_of(event)
    key = key_of(path if explain is None else f"{path}?explain={explain}", body)
    answer, parsed = answers.get(key, body), None
    asked: Answer | request.Request
    if answer is None:
        asked = parsed = request.parse(body, fields, settings.default_model_name)
    else:
        asked = answer
    model, staleness = _chosen(asked.model_name, stage, asked.version, grant)
    trial = rollouts.of(model) if stage == "Production" and asked.version is None else None
    hit, shown, tried = answer is not None and answer.serial == model.serial, "", ""
    other: Sequence[int] = ()
    if trial is not None:
        from predict import trials  # only while there is a rollout

        routing_key = request.header_of(event, trials.ROUTING_HEADER) or request_id
        both = trials.Both(
            answering,
            answers,
            lambda: parsed or request.parse(body, fields, settings.default_model_name),
            (body, fields is request.BATCH, request_id, explain),
            key,
        )
        answer, hit, shown, tried, other = trials.COMPARISONS.answer(trial, model, routing_key, request_id, both)
    elif answer is None or not hit:
        parsed = parsed or request.parse(body, fields, settings.default_model_name)
        answer = answering.answer(model, parsed, body, fields is request.BATCH, request_id, explain)
        answers.put(key, answer)
    cache, seconds = ("hit" if hit else "miss"), f"{staleness:.1f}"
    minted = new_id(answer.rows)
    columns = answer.counts.of(request_id, repeated=hit) if answer.counts is not None else ""
    records.prediction(
        request_id, answer.record + columns + answer.kept.line(minted, other) + tried, cache, seconds, began
    )
    return ok(with_id(answer.body, minted, shown), request_id, cache, seconds)


def _chosen(model_name: str, stage: str, version: int | None, grant: Grant | None) -> tuple[ServedModel, float]:
    permit(grant, model_name)
    if version is None:
        return models.current(model_name, stage)
    from predict.pinned import pinned  # few requests name a version

    return pinned(models, model_name, version, (stage,) if stage == "Staging" else (stage, "Staging"))


def warm_up() -> None:
    """Load the default model while the environment starts. If there is none, the environment starts without it."""
    access.warm_up()
    try:
        rollouts.of(models.current(settings.default_model_name, "Production")[0])
    except PlatformError as error:
        records.report("mlops.cold", model_name=settings.default_model_name, code=error.code)


def after_restore() -> None:
    """Drop what a SnapStart snapshot must not carry over: connections, credentials, random bytes, and the age of the
    manifests."""
    bucket.forget()
    ids.forget()
    models.recheck()
    rollouts.recheck()
    access.recheck()
    warm_up()


if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
    from snapshot_restore_py import register_after_restore  # the managed runtime has it

    register_after_restore(after_restore)

warm_up()
# Objects made at the start live as long as the environment, so the garbage collector does not have to check them.
gc.freeze()
