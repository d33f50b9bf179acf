"""The state between attempts: kept whole, trusted only if it is undamaged and of the same run."""

from pathlib import Path

import boto3
import pytest

from trainer import checkpoint
from trainer.errors import Unreachable
from trainer.parameters import Identity

JOB = Identity(job_id="job_000001")


@pytest.fixture(params=["s3", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> checkpoint.Store:
    if request.param == "folder":
        place = checkpoint.store_of(JOB, {"CHECKPOINT_DIR": str(tmp_path)})
    else:
        request.getfixturevalue("aws")
        place = checkpoint.store_of(JOB, {"ARTIFACT_BUCKET": "artifacts", "CHECKPOINT_DIR": str(tmp_path)})
    assert place is not None
    place.delete()
    return place


def test_what_is_put_is_found_until_it_is_deleted(store: checkpoint.Store):
    assert checkpoint.load(store, "mine", max_wait=1) is None
    store.put(checkpoint.pack(b"one\nand more", "mine"))
    store.put(checkpoint.pack(b"two\nand more", "mine"))
    assert checkpoint.load(store, "mine", max_wait=1) == b"two\nand more"
    store.delete()
    assert checkpoint.load(store, "mine", max_wait=1) is None


def test_another_run_s_state_is_left_aside(store: checkpoint.Store, capsys: pytest.CaptureFixture[str]):
    store.put(checkpoint.pack(b"state", "theirs"))
    assert checkpoint.load(store, "mine", max_wait=1) is None
    assert "checkpoint.of_another_run" in capsys.readouterr().out


@pytest.mark.parametrize("damage", [lambda content: content[:-1], lambda _: b"", lambda _: b"[1]\nx"])
def test_a_damaged_state_is_left_aside(store: checkpoint.Store, damage, capsys: pytest.CaptureFixture[str]):
    store.put(damage(checkpoint.pack(b"state", "mine")))
    assert checkpoint.load(store, "mine", max_wait=1) is None
    assert "checkpoint.damaged" in capsys.readouterr().out


@pytest.mark.usefixtures("aws")
def test_a_job_s_state_lies_where_the_platform_says():
    store = checkpoint.store_of(JOB, {"ARTIFACT_BUCKET": "artifacts"})
    store.put(b"x")
    assert boto3.client("s3").get_object(Bucket="artifacts", Key="checkpoints/job_000001/latest")["Body"].read() == b"x"


def test_a_run_that_is_no_job_keeps_nothing():
    assert checkpoint.store_of(Identity(), {"ARTIFACT_BUCKET": "artifacts"}) is None
    assert checkpoint.load(None, "mine", max_wait=1) is None


def test_a_store_that_does_not_answer_is_not_taken_for_an_empty_one(aws: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    store = checkpoint.store_of(JOB, {"ARTIFACT_BUCKET": "artifacts"})
    with pytest.raises(Unreachable, match="s3://artifacts/checkpoints/job_000001/latest"):
        checkpoint.load(store, "mine", max_wait=0.1)


def test_the_fingerprint_is_of_parameters_and_data():
    one = checkpoint.fingerprint({"epochs": 3}, "digest")
    assert one == checkpoint.fingerprint({"epochs": 3}, "digest")
    assert len({one, checkpoint.fingerprint({"epochs": 4}, "digest"), checkpoint.fingerprint({"epochs": 3}, "d")}) == 3
