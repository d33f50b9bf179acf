"""The schedules: a cleanup each week, and each hour a look at what was deleted and is still there."""

from typing import Any

from aws_lambda_powertools import Logger

from cleanup.weekly import Weekly
from mlops.removal.data_rows import DataRows
from mlops.removal.mirror import Mirror

logger = Logger()


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Do what the schedule's `task` says, and return what was done.

    Raises:
        RuntimeError: Parts of a cleanup failed. The others were done.
    """
    if event.get("task") == "cleanup":
        return Weekly.from_environment().run().detail()
    hidden = Mirror.from_environment().look()
    return {"hidden": hidden, "datasets": DataRows.from_environment().look()}
