"""Which items of the jobs table a list has: their kind and status, and the names that the caller's key is for."""

from collections.abc import Sequence

from boto3.dynamodb.conditions import Attr, ConditionBase, Key

from mlops.aws.dynamodb import MAX_KEY_BYTES, named
from mlops.domain.job import Job, JobStatus, Sweep
from mlops.domain.pagination import decode_cursor, unknown_cursor

ACTIVE = (JobStatus.PENDING, JobStatus.RUNNING)
IS_OURS = Attr("created_at").exists()
"""Set on items that the API has created. In the previous version events and trainers could create items too. A stack
may still have them; they are not records."""


def ours(names: Sequence[str]) -> ConditionBase:
    """Return the condition that an item is a record of the API, and that its model and experiment have these names."""
    condition: ConditionBase = IS_OURS
    for attribute in ("model_name", "experiment_name"):
        if (matching := named(attribute, names)) is not None:
            condition &= matching
    return condition


def id_in(cursor: str, kind: type[Job] | type[Sweep]) -> str:
    """Return the id in a cursor. DynamoDB refuses a start that is not within the query.

    Raises:
        ValidationFailed: It is not the cursor of a list of this kind.
    """
    identifier = decode_cursor(cursor, MAX_KEY_BYTES)
    if not identifier.startswith(f"{kind.KIND}_"):
        raise unknown_cursor()
    return identifier


def selection(kind: type[Job] | type[Sweep], status: JobStatus | None) -> tuple[ConditionBase, str]:
    """Return the key condition and the index for the records of one kind, optionally with one status."""
    if status is None:
        return Key("kind").eq(kind.KIND), "by_time"
    return Key("status").eq(str(status)) & Key("job_id").begins_with(f"{kind.KIND}_"), "by_status"
