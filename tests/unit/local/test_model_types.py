"""`make up` publishes what the trainer of the checkout prints."""

import json
from pathlib import Path

import boto3
import pytest

from infra.local import model_types
from infra.local.errors import LocalStackError
from infra.local.settings import Settings

TRAINER = """
import sys
from pathlib import Path
calls = Path({calls!r})
calls.write_text(calls.read_text() + "x")
assert sys.argv[1:] == ["types"]
{then}
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Settings:
    """A checkout whose trainer counts how often it is asked, and the stack's folder."""
    for folder in ("root/training_container/trainer", "root/layers/core/python", "root/client", "home"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "calls").write_text("")
    write(tmp_path, 'print("{}")')
    return Settings(home=tmp_path / "home", root=tmp_path / "root")


def write(folder: Path, then: str) -> None:
    module = folder / "root/training_container/trainer/__main__.py"
    module.write_text(TRAINER.format(calls=str(folder / "calls"), then=then))


def test_the_trainer_is_asked_again_only_when_its_sources_have_changed(checkout: Settings, tmp_path: Path) -> None:
    assert model_types.model_types(checkout) == b"{}\n"
    assert model_types.model_types(checkout) == b"{}\n"
    assert (tmp_path / "calls").read_text() == "x"
    write(tmp_path, 'print("[1]")')  # longer, as Python may not compile a file anew that changes within a second
    assert model_types.model_types(checkout) == b"[1]\n"
    assert (tmp_path / "calls").read_text() == "xx"


def test_what_is_kept_and_cannot_be_read_is_made_again(checkout: Settings) -> None:
    for text in ("", "[]", json.dumps({"sources": "other"})):
        (checkout.home / "model-types.json").write_text(text)
        assert model_types.model_types(checkout) == b"{}\n"


def test_the_trainers_reason_is_told(checkout: Settings, tmp_path: Path) -> None:
    write(tmp_path, 'sys.exit("error: the plug-in cannot be loaded")')
    with pytest.raises(LocalStackError, match="the plug-in cannot be loaded"):
        model_types.model_types(checkout)


def test_the_document_is_put_only_when_it_is_new(aws: None) -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="bucket")
    s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    for document in (b"1", b"1", b"2"):
        model_types.publish(s3, "bucket", document)
        assert s3.get_object(Bucket="bucket", Key=model_types.KEY)["Body"].read() == document
    assert len(s3.list_object_versions(Bucket="bucket")["Versions"]) == 2
