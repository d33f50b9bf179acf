"""What every caller may rely on: keys, roles, problem documents, headers, bounds."""

import json

import pytest

from infra.local.api import Api
from infra.local.settings import ROOT
from tests.support.keys import make_key

OPEN = ("/health", "/ready", "/docs", "/openapi.json")
CLOSED = ("/train/jobs", "/experiments", "/models", "/sweeps", "/train/status/job_000001")


def problem_of(answer, status):
    assert answer.status == status, answer.data
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json
    assert document["status"] == status
    assert {"type", "title", "status", "detail", "code", "request_id"} <= document.keys()
    assert document["request_id"]
    return document


@pytest.mark.parametrize("path", OPEN)
def test_open_routes_take_no_key(api, path):
    answer = Api(api.url, None).send("GET", path)
    assert answer.status == 200
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert "max-age" in answer.headers["strict-transport-security"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize("path", CLOSED)
@pytest.mark.parametrize("key", [None, "wrong"])
def test_closed_routes_refuse_a_missing_or_wrong_key(api, path, key):
    document = problem_of(Api(api.url, key).send("GET", path), 403)
    assert "x-api-key" in document["detail"]


def test_an_unknown_route_is_404(api):
    problem_of(api.send("GET", "/no/such/route"), 404)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"epochs": 0}, "epochs"),
        ({"epochs": 101}, "epochs"),
        ({"epochs": "3"}, "epochs"),
        ({"epochs": True}, "epochs"),
        ({"epochs": 2.5}, "epochs"),
        ({"learning_rate": 2}, "learning_rate"),
        ({"learning_rate": 1e-6}, "learning_rate"),
        ({"batch_size": 7}, "batch_size"),
        ({"hidden_size": 513}, "hidden_size"),
        ({"dropout": 0.6}, "dropout"),
        ({"seed": -1}, "seed"),
        ({"model_type": "transformer"}, "model_type"),
        ({"model_name": "transition"}, "model_name"),
        ({"model_name": "a/b"}, "model_name"),
        ({"dataset": "ftp://host/file.csv"}, "dataset"),
        ({"dataset": "s3://somebody-elses-bucket/file.csv"}, "dataset"),
        ({"register": "yes"}, "register"),
        ({"no_such_field": 1}, "no_such_field"),
    ],
)
def test_a_wrong_training_request_names_the_field_and_starts_nothing(api, body, field):
    before = api.get("/train/jobs?limit=1")["total_count"]
    document = problem_of(api.send("POST", "/train", body), 422)
    assert [error["field"] for error in document["errors"]] == [field]
    assert field in document["detail"]
    assert api.get("/train/jobs?limit=1")["total_count"] == before


@pytest.mark.parametrize("body", [b"{", b"[]", b"", b'{"learning_rate": NaN}', b"\xff\xfe", b'{"epochs": 1e400}'])
def test_a_body_that_is_no_json_object_is_422(api, body):
    problem_of(api.send("POST", "/train", body), 422)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"space": {"colour": [1]}}, "space.colour"),
        ({"space": {"dropout": [0.1, 0.9]}, "strategy": "grid"}, "space.dropout"),
        ({"space": {"learning_rate": {"low": 0.001, "high": 0.1}}, "strategy": "grid"}, "space.learning_rate"),
        ({"num_runs": 101}, "num_runs"),
        ({"strategy": "bayes"}, "strategy"),
        ({"stage": "Archived"}, "stage"),
    ],
)
def test_a_wrong_sweep_names_the_field(api, body, field):
    document = problem_of(api.send("POST", "/sweeps", body), 422)
    assert field in [error["field"] for error in document["errors"]]


def test_a_body_over_the_limit_is_413(api):
    problem_of(api.send("POST", "/train", {"run_name": "x" * 1_100_000}), 413)


@pytest.mark.parametrize(
    "path",
    ["/train/status/job_999999", "/sweeps/sweep_999999", "/models/no-such-model", "/models/transitions/tr_nothing"],
)
def test_what_is_not_there_is_404(api, path):
    problem_of(api.send("GET", path), 404)


def test_moving_what_is_not_there_is_404(api, production_model):
    wish = {"model_name": "no-such-model", "version": 1, "stage": "Production"}
    problem_of(api.send("POST", "/models/transition", wish), 404)
    problem_of(api.send("POST", "/models/transition", {**wish, "model_name": "digit-classifier", "version": 9999}), 404)


def test_a_step_the_lifecycle_does_not_allow_is_409_and_names_those_it_does(api, production_model):
    version = api.get("/models/digit-classifier")["production_version"]
    wish = {"model_name": "digit-classifier", "version": version, "stage": "Staging"}
    document = problem_of(api.send("POST", "/models/transition", wish), 409)
    assert document["code"] == "transition_not_allowed"
    assert document["allowed"] == ["Archived"]


@pytest.fixture(scope="module")
def key_of(stack):
    """Keys by role, made as an operator makes them."""

    def make(role):
        return make_key(stack.env, f"test-{role}", role, owner="test")

    return make


def test_roles(api, key_of, production_model, held_out):
    image = {"image": held_out[0][0]}
    predicting, reading = Api(api.url, key_of("predict")), Api(api.url, key_of("read"))
    assert predicting.send("POST", "/predict", image).status == 200
    assert reading.send("POST", "/predict", image).status == 200
    assert reading.send("GET", "/train/jobs").status == 200
    assert "read, feedback, train, approve or admin" in problem_of(predicting.send("GET", "/train/jobs"), 403)["detail"]
    assert "admin" in problem_of(reading.send("POST", "/train", {}), 403)["detail"]
    wish = {"model_name": "digit-classifier", "version": 1, "stage": "Archived"}
    for changing in (reading, Api(api.url, key_of("train"))):
        problem_of(changing.send("POST", "/models/transition", wish), 403)
    problem_of(reading.send("DELETE", "/predict/cache"), 403)


def test_lists_are_paged_by_cursor(api, production_model):
    api.post("/train", {"epochs": 1, "register": False})
    page = api.get("/train/jobs?limit=1")
    assert page["total_count"] >= 2
    following = api.get(f"/train/jobs?limit=1&cursor={page['next_cursor']}")
    assert page["jobs"][0]["job_id"] > following["jobs"][0]["job_id"]
    problem_of(api.send("GET", "/train/jobs?cursor=%21%21"), 422)
    problem_of(api.send("GET", "/train/jobs?limit=0"), 422)
    problem_of(api.send("GET", "/train/jobs?status=sleeping"), 422)


def test_the_published_openapi_document_is_the_codes(api):
    published = json.loads((ROOT / "functions/portal/portal/openapi.json").read_text())
    assert Api(api.url, None).get("/openapi.json") == published


def test_the_docs_page_asks_no_other_host_for_anything(api):
    page = api.send("GET", "/docs").data.decode()
    assert "http://" not in page
    assert "https://" not in page
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "start.js"):
        assert f'docs/{name}"' in page
        assert api.send("GET", f"/docs/{name}").status == 200
