"""Carries out the event of a retrain schedule: requests a retrain of each of its models, by an event of its own.

So each model has its own tries and its own failure: one that fails keeps no other from being retrained.
"""

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from pydantic import ValidationError

from mlops.aws.eventbridge import Events
from mlops.domain.drift.retrain import ALL_MODELS, RetrainRequest, RetrainSchedule, hourly_id
from mlops.domain.model_name import is_servable
from mlops.domain.stages import Stage
from mlops.registry.rest import Tracking

logger = Logger(child=True)


class ScheduledRetrains:
    def __init__(self, tracking: Tracking, events: Events) -> None:
        self._tracking, self._events = tracking, events

    @classmethod
    def from_environment(cls) -> "ScheduledRetrains":
        return _scheduled_retrains()

    def request(self, detail: dict[str, Any]) -> list[str]:
        """Request the retrains that the event of a schedule asks for, and return the names of the models.

        The event may come twice: the requests have the same ids within an hour, and training starts once for an id.

        Raises:
            ValidationError: the event is no schedule's.
            DependencyUnavailable: MLflow or EventBridge does not answer. Lambda tries again.
        """
        schedule = RetrainSchedule.model_validate(detail)
        requested = []
        for name in self._trained_here() if schedule.models == ALL_MODELS else schedule.names():
            try:
                request = _request(schedule, name)
            except ValidationError as error:
                logger.error("retrain refused", model=name, reason=str(error))
                continue
            self._events.request_retrain(request)
            requested.append(name)
        logger.info("retrains requested", models=requested, reason=schedule.reason)
        return requested

    def _trained_here(self) -> list[str]:
        """List the models whose version in Production a job of the platform trained."""
        served = {model.name: model.holder(Stage.PRODUCTION) for model in self._tracking.models()}
        return sorted(
            version.model_name
            for version in self._tracking.versions()
            if version.version == served.get(version.model_name)
            and version.tags.get("job_id")
            and is_servable(version.model_name)
        )


def _request(schedule: RetrainSchedule, name: str) -> RetrainRequest:
    return RetrainRequest(
        model_name=name,
        retrain_id=hourly_id(name),
        num_runs=schedule.num_runs,
        stage=schedule.stage,
        reason=schedule.reason,
    )


@cache
def _scheduled_retrains() -> ScheduledRetrains:
    return ScheduledRetrains(Tracking.from_environment(), Events.from_environment())
