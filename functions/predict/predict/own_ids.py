"""Ids that callers send with their rows, in place of the one that predict makes. Imported when a row has one."""

from collections.abc import Sequence
from typing import Any

from mlops.domain.errors import ValidationFailed
from mlops.domain.feedback.own_id import MAX_OWN_ID, hashed
from predict.feedback import OWN_ID


def own_ids(source: str, rows: Sequence[dict[str, Any]], batch: bool) -> tuple[list[dict[str, Any]], list[str]]:
    """Take the callers' ids out of rows.

    Args:
        source: The field with the rows.
        rows: The rows, of which at least one has an id.
        batch: Whether the field is a list.

    Returns:
        The rows without ids, and the ids as they are kept: hashed, because callers may use names.

    Raises:
        ValidationFailed: A row has no id, or one that is neither text nor a whole number; or two rows have the same.
    """
    ids: list[str] = []
    for index, row in enumerate(rows):
        place = f"{source}.{index}.{OWN_ID}" if batch else f"{source}.{OWN_ID}"
        value = row.get(OWN_ID)
        if type(value) not in (str, int) or not 1 <= len(str(value)) <= MAX_OWN_ID:
            raise ValidationFailed.of_field(
                place,
                f"must be a text of 1 to {MAX_OWN_ID} characters or a whole number; send it with each row or none",
            )
        ids.append(hashed(str(value)))
    if len({*ids}) != len(ids):
        raise ValidationFailed.of_field(source, f"has the same {OWN_ID} twice; send one for each row")
    return [{name: value for name, value in row.items() if name != OWN_ID} for row in rows], ids
