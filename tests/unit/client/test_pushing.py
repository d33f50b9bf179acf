"""Which files of a run are those of the version that is pushed, and what the command says if it cannot be done."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from mlops_client import pushing
from mlops_client.cli import app
from mlops_client.errors import BadInput, MlopsError, NotSignedIn
from mlops_client.models import ModelVersion
from tests.unit.client.test_sdk import client, server  # noqa: F401  (fixtures)

A, B = "a" * 64, "b" * 64


def version(sha256: str | None) -> ModelVersion:
    return ModelVersion(
        version=3, stage="Registered", run_id="0af", metrics={}, objective=None, sha256=sha256, created_at="2026"
    )


def files(*paths: str) -> list[pushing._Content]:
    return [pushing._Content(path, B if "second" in path else A, Path("x")) for path in paths]


def test_of_two_models_of_a_run_the_one_with_the_versions_hash_is_taken():
    contents = files(
        "MLmodel.txt", "card.md", "model/MLmodel", "model/model.onnx", "second/MLmodel", "second/model.onnx"
    )
    model, others = pushing._divided(contents, version(B), "churn")
    assert [each.path for each in model] == ["MLmodel", "model.onnx"]
    assert {each.sha256 for each in model} == {B}
    assert [each.path for each in others] == ["MLmodel.txt", "card.md", "model/MLmodel", "model/model.onnx"]


def test_a_version_that_was_converted_has_no_onnx_file_of_its_own():
    model, _ = pushing._divided(files("model/MLmodel", "model/model.pkl"), version(B), "churn")
    assert [each.path for each in model] == ["MLmodel", "model.pkl"]


@pytest.mark.parametrize("paths", [("card.md",), ("model/MLmodel", "model/model.onnx")])
def test_files_that_are_not_the_versions_are_refused_with_the_remedy(paths):
    with pytest.raises(BadInput, match="log the model again, in a run of its own"):
        pushing._divided(files(*paths), version(B), "churn")


def test_another_version_of_the_platform_is_named(client, server):  # noqa: F811
    server.will(404, {"code": "not_found", "detail": "There is no such route; GET /docs lists them"})
    server.will(200, {"status": "ok", "version": "0.9.0", "environment": "local"})
    with pytest.raises(
        MlopsError, match=r"is version 0\.9\.0 of the platform, which takes no pushes: update that stack"
    ):
        pushing._received(client, "churn", {})


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        (["push", "churn", "--to", "prod"], BadInput, "write it as MODEL@VERSION, such as churn@3"),
        (["push", "churn@3", "--to", "prod"], NotSignedIn, "run `mlops login URL --profile prod`"),
        (["push", "churn@3", "--to", "https://b.example/v1"], NotSignedIn, "set MLOPS_TO_KEY"),
        (["push", "churn@3", "--to", "prod", "--to-key", "k"], BadInput, "--to-key is for an address"),
        (["push", "churn@3", "--to", "https://a.example/v1", "--to-key", "k"], BadInput, "name another one"),
        (["--profile", "prod", "me"], NotSignedIn, "there is no profile 'prod'"),
    ],
)
def test_the_command_says_what_is_missing(tmp_path, arguments, error, told):
    variables = {"MLOPS_CONFIG": str(tmp_path / "c"), "MLOPS_API_URL": "https://a.example/v1", "MLOPS_API_KEY": "k"}
    done = CliRunner().invoke(app, arguments, env={**variables, "MLOPS_TO_KEY": None})
    assert isinstance(done.exception, error)
    assert told in str(done.exception)
