"""Predict's log lines, as the log subscription delivers them: added to the hourly counts."""

from collections import Counter
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from mlops.aws.embedded_metrics import embedded
from mlops.aws.stats_table import PredictionStats
from prediction_log.delivery import Undecodable, decode
from prediction_log.ledger import count_delivery, count_undecodable

logger = Logger()


@cache
def stats() -> PredictionStats:
    return PredictionStats.from_environment()


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Count a delivery. What cannot be read is counted as skipped; what cannot be stored is raised, and comes again."""
    data = event["awslogs"]["data"]
    try:
        delivery = decode(data)
    except Undecodable as error:
        logger.warning("delivery skipped", reason=str(error))
        delivered, done = 0, list(count_undecodable(stats(), data))
    else:
        delivered, done = len(delivery.lines), list(count_delivery(stats(), delivery))
    lines = sum(counted.lines for counted in done)
    skipped = sum((counted.skipped for counted in done), Counter[str]())
    # One line a delivery, not one a prediction. Of lines that had been counted before it says nothing but their number.
    logger.info(
        "delivery counted",
        delivered=delivered,
        lines=lines,
        skipped=dict(skipped),
        samples=sum(len(counted.samples) for counted in done),
        **embedded({"LinesSkipped": (skipped.total(), "Count")}),
    )
    return {"delivered": delivered, "lines": lines, "skipped": skipped.total()}
