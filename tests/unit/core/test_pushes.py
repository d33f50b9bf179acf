"""What a push may say, and how pushes are told apart."""

from typing import Any

import pytest
from pydantic import ValidationError

from mlops.api.schemas.pushes import MAX_BYTES, PushRequest
from mlops.domain.bin import TAG
from mlops.domain.errors import Conflict
from mlops.registry.rest import Version
from pushes.registration import Registrations

A, B, C = (letter * 64 for letter in "abc")


def push(**changes: Any) -> PushRequest:
    files = [{"path": "MLmodel", "sha256": A, "size": 10}, {"path": "model.onnx", "sha256": B, "size": 20}]
    source = {"stack": "http://127.0.0.1:8000", "version": 3, "run_id": "0af"}
    document = {"source": source, "experiment_name": "churn", "model": files, **changes}
    return PushRequest.model_validate(document)


def test_pushes_of_the_same_files_are_the_same_whatever_else_they_say():
    one = push(metrics={"accuracy": 0.9})
    other = push(model=[file.model_dump() for file in reversed(one.model)], run_name="again")
    assert one.digest == other.digest
    assert one.file_sha256 == B
    changed = [{"path": "MLmodel", "sha256": A, "size": 10}, {"path": "model.onnx", "sha256": C, "size": 20}]
    assert push(model=changed).digest != one.digest


def test_contents_are_uploaded_once():
    card = {"path": "model_card.md", "sha256": A, "size": 10}
    assert push(artifacts=[card]).contents == {A: 10, B: 20}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model": [{"path": "model.onnx", "sha256": A, "size": 1}]}, "model: has no file MLmodel"),
        ({"artifacts": [{"path": "a/../b", "sha256": A, "size": 1}]}, "artifacts: each path must be within the folder"),
        ({"artifacts": [{"path": "a//b", "sha256": A, "size": 1}]}, "artifacts: each path must be within the folder"),
        ({"artifacts": [{"path": "/etc", "sha256": A, "size": 1}]}, "path"),
        ({"artifacts": [{"path": "a", "sha256": A, "size": 1}] * 2}, "artifacts: has a path twice"),
        ({"artifacts": [{"path": "a", "sha256": C, "size": MAX_BYTES}]}, "leave out large artifacts"),
        ({"tags": {"mlflow.user": "ann"}}, "tags"),
    ],
)
def test_a_push_that_cannot_be_registered_is_refused(changes, told):
    with pytest.raises(ValidationError, match=told):
        push(**changes)


def test_a_version_that_is_in_the_bin_is_not_pushed_over():
    class Runs:
        def pushed(self, *_: Any) -> Version:
            return Version("churn", 3, "r", "models:/m-1", {TAG: "true"})

    with pytest.raises(Conflict, match="in the bin: restore it with POST /models/churn/versions/3/restore"):
        Registrations(Runs(), None).push("churn", push(), "ann", None)  # type: ignore[arg-type]
