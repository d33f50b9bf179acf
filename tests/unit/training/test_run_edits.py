"""Tags and notes of runs, as the API changes them."""

from collections.abc import Mapping

import pytest

from mlops.domain.errors import NotFound
from mlops.registry.runs import Runs

RUN = "/experiments/churn/runs/r1"
NOTE = "mlflow.note.content"


class FakeRuns(Runs):
    """MLflow's runs in memory: of the experiment `churn`, whose id is 7, `r1` and a run that was deleted."""

    def __init__(self) -> None:
        self.stored = {"mlflow.user": "ann", "draft": "yes"}
        self.asked: list[str] = []

    def _get(self, path: str, **query: str) -> dict:
        if path == "runs/get":
            if query["run_id"] not in ("r1", "gone"):
                raise NotFound("The model registry has no such run")
            tags = [{"key": key, "value": value} for key, value in self.stored.items()]
            stage = "active" if query["run_id"] == "r1" else "deleted"
            return {"run": {"info": {"experiment_id": "7", "lifecycle_stage": stage}, "data": {"tags": tags}}}
        by = query.get("experiment_name", query.get("experiment_id"))
        known = {"churn": "7", "7": "7", "removed": "8", "wine": "9"}
        if by not in known:
            raise NotFound("The model registry has no such experiment")
        name = "churn" if known[by] == "7" else by
        stage = "deleted" if by == "removed" else "active"
        return {"experiment": {"experiment_id": known[by], "name": name, "lifecycle_stage": stage}}

    def _post(self, path: str, body: Mapping) -> dict:
        self.asked.append(path)
        if path == "runs/log-batch":
            self.stored |= {tag["key"]: tag["value"] for tag in body["tags"]}
        else:
            del self.stored[body["key"]]
        return {}


@pytest.fixture
def runs(monkeypatch):
    fake = FakeRuns()
    monkeypatch.setattr(Runs, "from_environment", lambda: fake)
    return fake


def test_tags_and_the_note_are_changed_and_the_rest_stays(ask, runs):
    status, answer = ask("PATCH", RUN, {"tags": {"reviewed by": "bo", "draft": None}, "note": "**best**"})
    assert status == 200
    assert answer["tags"] == {"mlflow.user": "ann", "reviewed by": "bo", NOTE: "**best**"}
    assert (answer["note"], answer["run_id"], answer["experiment_id"]) == ("**best**", "r1", "7")
    assert runs.asked == ["runs/log-batch", "runs/delete-tag"], "all values in one request"
    status, answer = ask("PATCH", "/experiments/7/runs/r1", {"note": ""})
    assert (status, answer["note"], NOTE in answer["tags"]) == (200, None, False)


def test_the_same_request_again_changes_nothing_and_gives_the_same_answer(ask, runs):
    change = {"tags": {"a": "1", "draft": None}, "note": "text"}
    first = ask("PATCH", RUN, change)
    runs.asked.clear()
    assert ask("PATCH", RUN, change) == first
    assert runs.asked == []


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        ({"tags": {"mlflow.note.content": "x"}}, "tags", "give a note as `note`"),
        ({"tags": {"mlops.objective": "rmse"}}, "tags", "write the tags that begin with mlflow. or mlops."),
        ({"tags": {"a//b": "x"}}, "tags", "without . or .. between slashes"),
        ({"tags": {"/a": "x"}}, "tags", "without . or .. between slashes"),
        ({"tags": {"a?": "x"}}, "tags", "pattern"),
        ({"tags": {"a": 5}}, "tags", "string"),
        ({"tags": {"a": "x" * 5001}}, "tags", "5000"),
        ({"note": "x" * 5001}, "note", "5000"),
        ({"name": "x"}, "name", "not permitted"),
    ],
)
def test_what_a_tag_cannot_be_is_refused_with_its_field(ask, runs, body, field, said):
    status, answer = ask("PATCH", RUN, body)
    assert status == 422
    (error,) = answer["errors"]
    assert error["field"].startswith(field)
    assert said.lower() in error["message"].lower(), error
    assert runs.asked == []


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/experiments/nobody/runs/r1", "GET /experiments lists them"),
        ("/experiments/removed/runs/r1", "GET /experiments lists them"),
        ("/experiments/wine/runs/r1", "The experiment has no run r1"),
        ("/experiments/churn/runs/gone", "The experiment has no run gone"),
        ("/experiments/churn/runs/other", "no such run"),
    ],
)
def test_a_run_that_is_not_there_is_not_found(ask, runs, path, said):
    status, answer = ask("PATCH", path, {"note": "x"})
    assert (status, said in answer["detail"]) == (404, True), answer
    assert runs.asked == []
