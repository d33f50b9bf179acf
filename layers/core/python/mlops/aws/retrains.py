"""Ask for retrains, within the limits that all checks share."""

import logging
import time
from collections.abc import Callable

from mlops.aws.drift_records import DriftRecords, RetrainLimits
from mlops.domain.drift.retrain import RetrainClaim, RetrainRequest, RetrainSettings

logger = logging.getLogger(__name__)


class Retrains:
    """Requests retrains with an event.

    Args:
        records: Where a request is claimed, and kept until it was sent.
        send: Sends the event. If it raises, the next check sends the same request.
    """

    def __init__(self, records: DriftRecords, send: Callable[[RetrainRequest], None]) -> None:
        self._records, self._send = records, send

    def ask(self, model_name: str, cause: str, message: str, settings: RetrainSettings, *, is_due: bool) -> None:
        """Request a retrain if one is due and within the limits, or if one was claimed and perhaps not sent.

        Args:
            model_name: The model.
            cause: What asks: `drift` or `performance`.
            message: What was found, in a sentence.
            settings: The limits, and what a retrain trains.
            is_due: Whether what was found asks for a retrain.

        Raises:
            DependencyUnavailable: The event was not accepted.
        """
        request = self._records.unsent_retrain(model_name)
        if request is None:
            if not is_due:
                return
            request = RetrainRequest.model_validate(
                {
                    "retrain_id": f"{cause}-{model_name[:60]}-{time.time_ns() // 1_000_000}",
                    "model_name": model_name,
                    "num_runs": settings.retrain_runs,
                    "stage": settings.retrain_stage if settings.retrain_stage != "none" else None,
                    "reason": f"{cause}: {message}",
                }
            )
            limits = RetrainLimits(settings.retrain_cooldown_hours * 3600, settings.retrain_daily_budget)
            claim = self._records.claim_retrain(request, limits, time.time())
            if claim is not RetrainClaim.CLAIMED:
                logger.info("no retrain of %s: %s", model_name, claim)
                return
        # If this is sent again, the id stays the same, and training starts once for an id.
        self._send(request)
        self._records.retrain_sent(model_name)
        logger.info("retrain of %s requested: %s", model_name, request.retrain_id)
