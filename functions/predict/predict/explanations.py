"""Explain the answers to rows: what each column adds to the answer. Imported at the first request that asks for it."""

import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlops.domain.errors import DependencyUnavailable, ValidationFailed
from mlops.domain.manifest import Manifest, explain_key
from mlops.inference.explaining import Explainer, NotExplained, explanation_of
from mlops.inference.model import Floats, Model
from mlops_contract.decision import places_of
from mlops_contract.explanations import Explanation
from predict.request import Request, only_rows_are_explained
from predict.s3 import Bucket, S3Missing, S3TooLarge, S3Unavailable

ASKED = "true"
"""Explain the class that was predicted."""
MAX_LOADED = 4
"""Explanations that are kept; each takes up to some tens of megabytes."""
LOAD_SECONDS = 5.0
RETRY_SECONDS = 60.0
"""A file that cannot be used is read again after this time, because it may have been repaired."""
MOST_WORK = 40_000_000
"""Rows times leaves times features per path: some seconds."""
LABELS_SHOWN = 10
OLD = "the version was made before answers were explained; train it again, or log it again"
GONE = "the file that explains it is gone or damaged; promote the version again"
NOT_THE_SUM = "the parts of this answer do not add up to it, and only exact explanations are given"


@dataclass(frozen=True, eq=False)
class _Unusable:
    """A file that cannot be used until it is read again, at `due` by the monotonic clock."""

    due: float


_loaded: OrderedDict[str, Explanation | _Unusable] = OrderedDict()
"""By the hash of the model."""


@dataclass(frozen=True, eq=False)
class RowExplanations:
    """Explains the answers of one request.

    Attributes:
        source: The field of the request with the rows.
        explainer: Explains them; None if the model's answers are not explained.
        reason: Why they are not.
        label: The place of the class to explain; None for the class that was predicted.
    """

    source: str
    explainer: Explainer | None
    reason: str
    label: int | None

    @classmethod
    def of(cls, bucket: Bucket, model: Model, parsed: Request, explain: str) -> "RowExplanations":
        """Return what explains the answers of a request.

        Args:
            bucket: Has the file that explains the model.
            model: Answers the request.
            parsed: The request.
            explain: `true`, or a label, in quotation marks if it is `true` or `false` itself.

        Raises:
            ValidationFailed: The request has no rows, or the model has no such label.
            DependencyUnavailable: S3 does not answer.
        """
        if parsed.source not in ("row", "rows"):
            raise only_rows_are_explained()
        label = None if explain == ASKED else _place(model.manifest, explain)
        try:
            return cls(parsed.source, Explainer(model, _explanation(bucket, model)), "", label)
        except NotExplained as error:
            return cls(parsed.source, None, str(error), label)

    def fields(self, feeds: Mapping[str, Any], outputs: Floats, batch: bool) -> dict[str, Any]:
        """Return the fields of the response.

        Args:
            feeds: The encoded rows.
            outputs: The answers to them.
            batch: Whether it is a response for several rows.

        Raises:
            ValidationFailed: These are more rows than can be explained in time.
        """
        name = "explanations" if batch else "explanation"
        if self.explainer is None:
            return {name: None, "explanation_reason": self.reason}
        self._check_work(self.explainer, len(outputs))
        _, encoded = self.explainer.answers(feeds)
        found = [self._one(self.explainer, *each) for each in zip(encoded, outputs, strict=True)]
        fields: dict[str, Any] = {name: found if batch else found[0]}
        return fields | {"explanation_reason": NOT_THE_SUM} if None in found else fields

    def _one(self, explainer: Explainer, row: Floats, answer: Floats) -> dict[str, Any] | None:
        manifest = explainer.model.manifest
        chosen = self.label
        if chosen is None:
            chosen = int(places_of(answer[np.newaxis], manifest.decision_threshold)[0])
        explained = explainer.parts(row, answer, chosen)
        if explained is None:
            return None
        assert manifest.contract is not None
        names = (column.name for column in manifest.contract.columns)
        label = {} if manifest.predicts_quantity else {"label": manifest.labels[chosen]}
        parts = dict(zip(names, explained.parts.tolist(), strict=True))
        return {"of": explainer.explanation.sum.value, **label, "base": explained.base, "parts": parts}

    def _check_work(self, explainer: Explainer, rows: int) -> None:
        most = max(1, MOST_WORK // max(1, explainer.explanation.summands.work))
        if rows > most:
            raise ValidationFailed.of_field(
                self.source, f"has {rows} entries; send at most {most} per request to have this model explain them"
            )


def _place(manifest: Manifest, asked: str) -> int:
    """Return the place of a label."""
    if manifest.predicts_quantity:
        raise ValidationFailed.of_field("explain", f"this model predicts a quantity; send {ASKED}")
    wanted = asked[1:-1] if len(asked) > 1 and asked[0] == asked[-1] == '"' else asked
    texts = [str(label) for label in manifest.labels]
    if wanted in texts:
        return texts.index(wanted)
    shown = ", ".join(texts[:LABELS_SHOWN]) + (", …" if len(texts) > LABELS_SHOWN else "")
    raise ValidationFailed.of_field("explain", f"must be {ASKED}, or a label of the model: {shown}")


def _explanation(bucket: Bucket, model: Model) -> Explanation:
    """Return what explains a model, from its file at the first time.

    Raises:
        NotExplained: Nothing does.
        DependencyUnavailable: S3 does not answer.
    """
    stated = model.manifest.explanations
    if stated is None or stated.sha256 is None:
        raise NotExplained(stated.reason if stated is not None and stated.reason else OLD)
    found = _loaded.get(model.manifest.sha256)
    if found is None or (isinstance(found, _Unusable) and time.monotonic() >= found.due):
        found = _loaded[model.manifest.sha256] = _read(bucket, model, stated.sha256, stated.size)
        while len(_loaded) > MAX_LOADED:
            _loaded.popitem(last=False)
    _loaded.move_to_end(model.manifest.sha256)
    if isinstance(found, _Unusable):
        raise NotExplained(GONE)
    return found


def _read(bucket: Bucket, model: Model, sha256: str, size: int) -> Explanation | _Unusable:
    key = explain_key(model.manifest.model_name, model.manifest.sha256)
    try:
        stored = bucket.get(key, seconds=LOAD_SECONDS, max_bytes=size)
        assert stored is not None  # no etag was sent
        return explanation_of(model, sha256, stored.data)
    except S3Unavailable as error:
        raise DependencyUnavailable(
            "S3 does not answer with what explains the model; try again, or leave out explain", retry_after=1
        ) from error
    except (S3Missing, S3TooLarge, NotExplained):
        return _Unusable(time.monotonic() + RETRY_SECONDS)
