"""Add predict's log lines, which the log subscription delivers, to the hourly counts."""

from collections import Counter
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from mlops.aws.embedded_metrics import embedded
from mlops.aws.feedback_table import FeedbackTable
from mlops.aws.stats_table import PredictionStats
from prediction_log.delivery import Undecodable, decode
from prediction_log.ledger import count_delivery, count_undecodable
from prediction_log.waiting_answers import Keep, keep_in

logger = Logger()


@cache
def stats() -> PredictionStats:
    return PredictionStats.from_environment()


@cache
def keep() -> Keep:
    return keep_in(FeedbackTable.from_environment())


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Count a delivery. Lines that cannot be read count as skipped. After an exception Lambda delivers again."""
    data = event["awslogs"]["data"]
    try:
        delivery = decode(data)
    except Undecodable as error:
        logger.warning("delivery skipped", reason=str(error))
        delivered, counted = 0, list(count_undecodable(stats(), data))
    else:
        delivered, counted = len(delivery.lines), list(count_delivery(stats(), keep(), delivery))
    lines = sum(part.lines for part in counted)
    skipped = sum((part.skipped for part in counted), Counter[str]())
    # One line per delivery, not per prediction. Lines that were counted before appear only in the number delivered.
    logger.info(
        "delivery counted",
        delivered=delivered,
        lines=lines,
        skipped=dict(skipped),
        samples=sum(len(part.samples) for part in counted),
        kept=sum(len(part.kept) for part in counted),
        **embedded({"LinesSkipped": (skipped.total(), "Count")}),
    )
    return {"delivered": delivered, "lines": lines, "skipped": skipped.total()}
