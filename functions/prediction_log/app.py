"""Predict's log lines, as the log subscription delivers them: added to the hourly counts."""

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from delivery import Undecodable, decode
from input_samples import store
from line_counts import count_lines, undecodable

from mlops.embedded_metrics import embedded
from mlops.prediction_stats import PredictionStats

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
        delivery, counted = None, undecodable(data)
    else:
        counted = count_lines(delivery)
    for sample in counted.samples:
        store(*sample)
    new = 0
    for series, hour, counts, totals in counted.pieces:
        new += stats().add(counted.delivery_id, series, hour, counts, totals)
    # One line a delivery, not one a prediction. A delivery that had been counted before has new_pieces 0.
    logger.info(
        "delivery counted",
        lines=len(delivery.lines) if delivery else 0,
        counted_lines=counted.lines,
        skipped=dict(counted.skipped),
        samples=len(counted.samples),
        pieces=len(counted.pieces),
        new_pieces=new,
        **embedded({"LinesSkipped": (counted.skipped.total() if new else 0, "Count")}),
    )
    return {"lines": counted.lines, "skipped": counted.skipped.total(), "new_pieces": new}
