"""Keep the answers of sampled requests until their labels are known, and the samples of inputs."""

from collections.abc import Iterable
from typing import Protocol

from mlops.aws.feedback_table import FeedbackTable
from mlops.aws.label_place import LabelPlace
from mlops.domain.feedback.kept_answers import KeptRequest
from prediction_log.input_samples import Sample, store


class Keep(Protocol):
    """Keeps answers, each with the name of its model, and samples. Can be repeated."""

    def __call__(self, requests: Iterable[tuple[str, KeptRequest]], samples: Iterable[Sample] = (), /) -> None: ...


def keep_in(table: FeedbackTable) -> Keep:
    """Return what keeps answers in a table, and samples in the bucket."""

    def keep(requests: Iterable[tuple[str, KeptRequest]], samples: Iterable[Sample] = (), /) -> None:
        store(samples, table.deleted)
        table.keep(
            {
                LabelPlace(model_name, id_, 0, request.id.seconds): answers
                for model_name, request in requests
                for id_, answers in request.by_id().items()
            }
        )

    return keep
