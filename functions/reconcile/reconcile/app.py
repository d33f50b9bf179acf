"""The schedule's round: what was lost on the way is sent again, what differs is handed to promotion for repair."""

from typing import Any

from aws_lambda_powertools import Logger

from reconcile.lost_jobs import LostJobs
from reconcile.lost_messages import LostMessages
from reconcile.misplaced_aliases import MisplacedAliases
from reconcile.waiting_jobs import WaitingJobs

logger = Logger()
ROUND = (LostMessages, MisplacedAliases, LostJobs, WaitingJobs)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, list[str]]:
    """One round; answers what each part did. A part that fails keeps no other from its work.

    Raises:
        RuntimeError: at the end, naming the parts that failed, so that the function's errors show in its alarm.
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
        raise RuntimeError(f"reconcile could not do its part: {', '.join(failed)}")
    return done
