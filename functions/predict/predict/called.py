"""A request to one of the protocols: which model it asks, and how it is answered and logged."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote

from mlops.api.parameters import refuse_unknown
from mlops.domain.access import Grant
from mlops.domain.errors import ValidationFailed
from mlops.domain.model_name import RULE, is_servable
from predict import records, replies, request
from predict.feedback import new_id
from predict.model_cache import ModelCache, ServedModel
from predict.pinned import pinned
from predict.records import Outcome

STAGES = ("Production", "Staging")
MAX_WARNINGS = 1_000
"""Characters of the header that has the warnings."""

Response = dict[str, Any]
Ask = Callable[[ServedModel, request.Request, str], Outcome]


class Call(NamedTuple):
    """A request. `ask` asks models of images and vectors; `grant_of` says what the key of an event may do."""

    event: dict[str, Any]
    request_id: str
    began: float
    models: ModelCache
    default_model: str
    ask: Ask
    grant_of: Callable[[dict[str, Any]], Grant | None]

    @property
    def model_name(self) -> str:
        """The name in the path. Raises ValidationFailed: no model that serves has such a name."""
        name = unquote(self._path["name"])
        if not is_servable(name):
            raise ValidationFailed.of_field("name", RULE)
        return name

    def chosen(self) -> tuple[ServedModel, float]:
        """Return the model that the path and the query name, and its staleness.

        The path or the query may name a version, or the query a stage; otherwise it is the version in Production.

        Raises:
            ValidationFailed: The path or the query is not valid. Names the parameter.
            NoModelInStage, VersionNotServed, DependencyUnavailable: It cannot answer.
        """
        query = request.query_of(self.event)
        version = self._path.get("version")
        refuse_unknown(query, ("stage", "version") if version is None else ())
        name, version = self.model_name, query.pop("version", version)
        stage = query.pop("stage", None)
        if version is None:
            if stage not in (None, *STAGES):
                raise ValidationFailed.of_field("stage", f"must be {' or '.join(STAGES)}")
            return self.models.current(name, stage or STAGES[0])
        if stage is not None:
            raise ValidationFailed.of_field("stage", "cannot be sent with a version; send one of them")
        number = request.version_of(version)
        if number is None:
            raise ValidationFailed.of_field("version", request.VERSION_RULE)
        return pinned(self.models, name, number, STAGES)

    def header(self, name: str) -> str:
        """Return a header by its lower-case name; empty if the request does not have it."""
        return request.header_of(self.event, name)

    def text(self) -> str:
        """Return the body. Raises PayloadTooLarge, or ValidationFailed: it is not UTF-8."""
        return request.text_of(self.event)

    def document(self) -> dict[str, Any]:
        """Return the body as a JSON object. Raises ValidationFailed: it is none, or has a name twice."""
        body = self.text()
        document = request.object_of(body)
        request.refuse_repeated_names(body, strings_in(document))
        return document

    def found(self, document: dict[str, Any]) -> Response:
        """Answer a request that asks for no prediction."""
        records.report("mlops.request", request_id=self.request_id, status=200, path=self.event["path"])
        return replies.found(document, self.request_id)

    def predicted(
        self,
        model: ServedModel,
        staleness: float,
        document: dict[str, Any],
        outcome: Outcome,
        warnings: Sequence[str] = (),
    ) -> Response:
        """Log a prediction, and answer with it. The headers have what the protocol's body has no place for."""
        seconds, minted = f"{staleness:.1f}", new_id(len(outcome.outputs))
        record = outcome.line + outcome.kept.line(minted)
        records.prediction(self.request_id, record, "miss", seconds, self.began)
        response = replies.found(document, self.request_id)
        headers = {
            "x-model-version": str(model.manifest.model_version),
            "x-model-staleness": seconds,
            "x-prediction-id": minted.text,
        }
        if warnings:
            text = "; ".join(warnings).encode("unicode_escape").decode()  # headers are ASCII, in one line
            headers["x-model-warnings"] = text[:MAX_WARNINGS]
        response["headers"] |= headers
        return response

    @property
    def _path(self) -> Mapping[str, str]:
        return self.event.get("pathParameters") or {}


def strings_in(document: Any) -> int:
    """Return how many strings a JSON document has, names included."""
    count, values = 0, [document]
    while values:
        value = values.pop()
        kind = type(value)
        if kind is dict:
            count += len(value)
            values += value.values()
        elif kind is list:
            if not _HOLDING.isdisjoint(map(type, value)):
                values += value
        elif kind is str:
            count += 1
    return count


_HOLDING = frozenset({dict, list, str})
