"""Keep the answers of sampled requests, until their labels are known."""

from collections.abc import Callable, Iterable

from mlops.aws.feedback_table import FeedbackTable, LabelPlace
from mlops.domain.feedback.kept_answers import KeptRequest

Keep = Callable[[Iterable[tuple[str, KeptRequest]]], None]
"""Keeps answers, each with the name of its model. Can be repeated."""


def keep_in(table: FeedbackTable) -> Keep:
    """Return what keeps answers in a table."""

    def keep(requests: Iterable[tuple[str, KeptRequest]]) -> None:
        table.keep(
            {
                LabelPlace(model_name, id_, 0, request.id.seconds): answers
                for model_name, request in requests
                for id_, answers in request.by_id().items()
            }
        )

    return keep
