"""Handle `Retrain Requested` events: train a model again as its Production version was trained."""

import hashlib
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from mlops.api.idempotency import once
from mlops.api.schemas.sweeps import SweepRequest
from mlops.aws.jobs_table import JobsTable
from mlops.domain.drift.retrain import RetrainRequest, hourly_id
from mlops.domain.errors import Conflict, NotFound, ValidationFailed
from mlops.domain.job import RETRAIN_ACTOR
from mlops.domain.recipe import RecipeError, recipe_of
from mlops.domain.stages import Stage
from mlops.registry.rest import Tracking
from training.submission import Submissions

logger = Logger()


class NoRecipe(Conflict):
    """It is not known how the version in Production was trained, so it cannot be trained again."""


def retrain(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Start the training that an event requests. If the event is delivered again, nothing more starts.

    Returns:
        The ids of the sweep and its jobs, the same for each delivery. For a model without a recipe, or with one that is
        not valid any more, the reason of the refusal, because another try would change nothing.

    Raises:
        DependencyUnavailable: The registry or AWS Batch does not answer. Lambda tries again.
    """
    request = RetrainRequest.model_validate(event["detail"])
    identifier = request.retrain_id or hourly_id(request.model_name)
    try:
        answer = once(
            lambda: _start(request, identifier),
            caller=RETRAIN_ACTOR,
            route="retrain",
            key=identifier,
            body={"model_name": request.model_name},  # the id alone decides: once per hour is once, whatever the reason
            context=context,
        )
    except (NoRecipe, ValidationFailed) as refused:
        logger.error("retrain refused", retrain_id=identifier, model=request.model_name, reason=refused.detail)
        return {"refused": refused.detail}
    logger.info(
        "retrain", retrain_id=identifier, model=request.model_name, reason=request.reason, sweep_id=answer["sweep_id"]
    )
    return answer


def _start(request: RetrainRequest, identifier: str) -> dict[str, Any]:
    """Start a sweep, also for a single run: the end of a sweep registers the best run and requests its stage, once."""
    recipe = _Production.from_environment().recipe_of(request.model_name)
    submissions = Submissions.from_environment()
    model_type = submissions.model_type(recipe["model_type"])
    sweep = sweep_of(request, recipe, identifier, model_type.default_space("random", recipe.get("task")))
    return submissions.sweep(sweep, RETRAIN_ACTOR, identifier).model_dump(mode="json")


def sweep_of(
    request: RetrainRequest, recipe: Mapping[str, Any], identifier: str, searched: Collection[str]
) -> SweepRequest:
    """Return the sweep of a retrain, with a new seed.

    One run repeats the hyperparameters of `recipe`. Several runs search the default space of the model type, whose
    hyperparameters are `searched`, and repeat the others.
    """
    seed = int(hashlib.sha256(identifier.encode()).hexdigest()[:7], 16)
    repeated = dict(recipe["hyperparameters"])
    if request.num_runs > 1:
        repeated = {name: value for name, value in repeated.items() if name not in searched}
    return SweepRequest.model_validate(
        {
            **recipe,
            "hyperparameters": repeated,
            "model_name": request.model_name,
            "num_runs": request.num_runs,
            "strategy": "random",
            # A space of seeds only: nothing else is drawn.
            "space": {"seed": [seed]} if request.num_runs == 1 else {},
            "seed": seed,
            "stage": request.stage,
        }
    )


class _Production:
    """Finds out how a model's Production version was trained."""

    def __init__(self, tracking: Tracking, jobs: JobsTable) -> None:
        self._tracking, self._jobs = tracking, jobs

    @classmethod
    def from_environment(cls) -> "_Production":
        return _production()

    def recipe_of(self, model_name: str) -> dict[str, Any]:
        """Return how the version was trained, as fields of a sweep's request.

        Raises:
            NoRecipe: No job of the platform has trained the version in Production.
        """
        try:
            version = self._tracking.model(model_name).holder(Stage.PRODUCTION)
            if version is None:
                raise NoRecipe(f"No version of {model_name!r} is in Production: train one and promote it")
            job_id = self._tracking.version(model_name, version).tags.get("job_id")
            job = self._jobs.job(job_id) if job_id else None
            request = job.whole_request if job else {}
        except NotFound as error:
            raise NoRecipe(f"It is not known any more how {model_name!r} was trained: {error.detail}") from error
        if job and job.is_code_run:
            raise NoRecipe(
                f"Version {version} of {model_name!r} was trained by people's own code ({job.job_id}), which can need "
                "other data or settings now: run it again with `mlops run`"
            )
        if not request:
            raise NoRecipe(
                f"Version {version} of {model_name!r} was not trained by a job of the platform: train it with the "
                "tool that made it, and register the result as a new version"
            )
        try:
            return recipe_of(request)
        except RecipeError as error:
            raise NoRecipe(f"Version {version} of {model_name!r} cannot be trained again: {error}") from error


@cache
def _production() -> _Production:
    return _Production(Tracking.from_environment(), JobsTable.from_environment())
