"""The API as schemathesis asks it, from the published document and with each role: its checks, and no server error.

One check is left out, `positive_data_acceptance`: what a model takes, which cursors a list has returned and which
experiments there are, no schema can say, so a request that fits the schema may be refused.

It has a stack of its own, because an admin's requests start jobs and move versions.
"""

import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
import schemathesis
from hypothesis import assume, given
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from infra.local.api import Api
from infra.local.settings import ROOT, Settings
from infra.local.stack import Stack
from mlops.domain.pagination import decode_cursor, encode_cursor
from tests.support.fuzzing import JSON, budget
from tests.support.keys import make_key
from tests.support.steps import promote, train

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.fuzz]

DOCUMENT = json.loads((ROOT / "functions/portal/portal/openapi.json").read_text())
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS = [(method, path) for path, methods in DOCUMENT["paths"].items() for method in methods]
ROLES = ("admin", "read", "predict", None)


@pytest.fixture(scope="module")
def keys(make_settings: Callable[[], Settings]) -> Iterator[Callable[[str | None], Api]]:
    """The API of a stack with a model in Production, by the role of the caller's key."""
    settings = replace(make_settings(), batch_slots=1)
    environment = Stack(settings, say=lambda text: None).up()
    admin = Api(settings.api_url, environment["MLOPS_API_KEY"])
    job = train(admin, epochs=1, dataset="digits")
    assert promote(admin, job["model_version"], reason="fixture")["status"] == "succeeded"
    made: dict[str | None, Api] = {"admin": admin, None: Api(settings.api_url, None)}
    for role in ("read", "predict"):
        made[role] = Api(settings.api_url, make_key(environment, f"fuzz-{role}", role, owner="fuzz"))
    yield made.__getitem__
    Stack(settings, say=lambda text: None).reset()


@budget(2)
@given(data=st.data())
@pytest.mark.parametrize("role", ROLES, ids=str)
@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=str)
def test_every_answer_is_one_that_the_document_has(
    keys: Callable[[str | None], Api], method: str, path: str, role: str | None, data: st.DataObject
) -> None:
    api = keys(role)
    mode = data.draw(st.sampled_from(list(GenerationMode)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        operation = SCHEMA[path][method.upper()]
        case = data.draw(operation.as_strategy(generation_mode=mode))
    # An empty list in a query is not sent, so a request whose only fault it is would be one without a fault.
    assume(all(value not in ([], {}) for value in case.query.values()))
    headers = {"x-api-key": api.key} if api.key else {}
    case.call_and_validate(base_url=api.url, headers=headers, excluded_checks=[positive_data_acceptance])


LISTS = [
    "/train/jobs?limit=1",
    "/train/jobs?limit=1&status=completed",
    "/sweeps?limit=1",
    "/experiments?limit=1",
    "/experiments?limit=1&order_by=name",
    "/experiments/digit-classification?limit=1",
    "/experiments/digit-classification?limit=1&order_by=metrics.accuracy%20desc",
    "/models?limit=1",
    "/models/digit-classifier?limit=1",
    "/models/digit-classifier/history?limit=1",
    "/train/jobs/job_000001/logs",
]


@st.composite
def cursors(draw: st.DrawFn, own: str | None) -> str:
    """Any text, any JSON, or the cursor of the list with one of its parts replaced."""
    parts = None
    if own is not None:
        try:
            parts = json.loads(decode_cursor(own))
        except Exception:  # not JSON, or no cursor of ours, as that of a log
            parts = None
    if isinstance(parts, list) and draw(st.booleans()):
        parts[draw(st.integers(0, len(parts) - 1))] = draw(JSON | st.integers(-(10**400), 10**400))
        return encode_cursor(json.dumps(parts))
    return draw(
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=50)
        | JSON.map(json.dumps).map(encode_cursor)
        | st.text(st.characters(codec="utf-8"), min_size=1, max_size=1400).map(encode_cursor)
    )


@pytest.fixture
def own_cursor(keys: Callable[[str | None], Api], path: str) -> str | None:
    """A cursor that the list returned. It is asked for once: lists grow, and what is drawn may not depend on that."""
    answer: Any = keys("admin").get(path)
    cursor: str | None = answer.get("next_cursor")
    return cursor


@budget(15)
@given(data=st.data())
@pytest.mark.parametrize("path", LISTS)
def test_any_cursor_of_any_list(
    keys: Callable[[str | None], Api], own_cursor: str | None, path: str, data: st.DataObject
) -> None:
    api = keys("admin")
    cursor = data.draw(cursors(own_cursor))
    asked = api.send("GET", f"{path}{'&' if '?' in path else '?'}cursor={quote(cursor, safe='')}")
    assert asked.status in (200, 422), asked.data
    if asked.status == 422:
        assert [error["field"] for error in asked.json["errors"]] == ["cursor"]
