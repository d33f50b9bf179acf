"""mlops note and mlops data list."""

import json

import pytest
from typer.testing import CliRunner

from mlops_client.cli import app, data, notes
from tests.unit.client.test_finding import IDS, PAGE
from tests.unit.client.test_sdk import client, server  # noqa: F401  (fixtures)

EDITED = {"experiment_id": "1", "run_id": IDS[0], "tags": {"reviewed": "yes"}, "note": "good"}
USED = {
    "name": "customers.csv",
    "digest": "0123456789abcdef",
    "runs": 3,
    "last_used_at": None,
    "experiments": ["churn", "wine"],
    "latest_runs": [{"run_id": IDS[0], "run_name": "brave", "experiment_name": "churn", "status": "finished"}],
}


@pytest.fixture
def mlops(monkeypatch, client):  # noqa: F811
    for module in (notes, data):
        monkeypatch.setattr(module, "new_client", lambda: client)
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def test_a_note_and_tags_are_sent_and_said(mlops, server):  # noqa: F811
    server.will(200, PAGE)
    server.will(200, EDITED)
    done = mlops("note", "brave", "good", "-e", "churn", "--tag", "reviewed=a=b", "--tag", "draft=")
    assert done.exit_code == 0, done.output
    assert done.output == f"run {IDS[0][:8]} of churn: reviewed is a=b, draft is removed, the note is written\n"
    method, path, _, body = server.asked[-1]
    assert (method, path) == ("PATCH", f"/experiments/churn/runs/{IDS[0]}")
    assert json.loads(body) == {"tags": {"reviewed": "a=b", "draft": None}, "note": "good"}


@pytest.mark.parametrize(
    ("arguments", "said"), [((), "give a note, or --tag NAME=VALUE"), (("--tag", "alone"), "write NAME=VALUE")]
)
def test_wrong_use_is_said_before_anything_is_asked(mlops, server, arguments, said):  # noqa: F811
    done = mlops("note", "brave", *arguments)
    assert done.exit_code != 0
    assert said in str(done.exception)
    assert server.asked == []


def test_data_sets_that_runs_have_used_are_listed(mlops, server):  # noqa: F811
    server.will(200, {"datasets": [USED], "total_count": 1})
    done = mlops("data", "list")
    assert done.exit_code == 0, done.output
    for text in ("customers.csv", "0123456789ab", "churn, wine", "brave"):
        assert text in done.output
    server.will(200, {"datasets": [], "total_count": 0})
    assert "no run has logged its data yet" in mlops("data", "list").output
