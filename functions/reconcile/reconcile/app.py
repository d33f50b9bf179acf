"""The scheduled round: send again what was lost, ask promotion to repair what differs, report what is left over."""

from typing import Any

from aws_lambda_powertools import Logger

from reconcile.deleted_models import DeletedModels
from reconcile.expired_keys import ExpiredKeys
from reconcile.history_digests import HistoryDigests
from reconcile.key_changes import KeyChanges
from reconcile.lost_batch_predictions import LostBatchPredictions
from reconcile.lost_conversions import LostConversions
from reconcile.lost_jobs import LostJobs
from reconcile.lost_messages import LostMessages
from reconcile.misplaced_aliases import MisplacedAliases
from reconcile.stale_grants import StaleGrants
from reconcile.waiting_jobs import WaitingJobs

logger = Logger()
ROUND = (
    *(LostMessages, MisplacedAliases, LostJobs, LostConversions, LostBatchPredictions, WaitingJobs),
    *(DeletedModels, ExpiredKeys, KeyChanges, HistoryDigests, StaleGrants),
)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, list[str]]:
    """Do one round, and return what each part did. If one part fails, the others still run.

    Raises:
        RuntimeError: At the end, with the names of the parts that failed, so that the function's alarm goes off.
    """
    done: dict[str, list[str]] = {}
    failed = []
    for part in ROUND:
        try:
            done[part.__name__] = part.from_environment().look()
        except Exception:
            logger.exception("part failed", part=part.__name__)
            failed.append(part.__name__)
    logger.info("round", extra=done)
    if failed:
        raise RuntimeError(f"parts of the round failed; the log says why: {', '.join(failed)}")
    return done
