"""What people's own code brings along and keeps: archives that point elsewhere, and checkpoints of several attempts."""

import hashlib
import io
import tarfile
from pathlib import Path

import boto3
import pytest

from mlops.domain.code_run import archive_key
from tests.unit.trainer.conftest import BUCKET
from trainer.errors import TrainingError
from trainer.own_code import archive
from trainer.own_code.checkpoints import CheckpointFolder


def stored(*members: tuple[tarfile.TarInfo, bytes]) -> str:
    """Put an archive into the bucket, and return its hash."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as packed:
        for member, content in members:
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    boto3.client("s3").put_object(Bucket=BUCKET, Key=archive_key(digest), Body=buffer.getvalue())
    return digest


def link(name: str, target: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, target
    return member


@pytest.mark.parametrize(
    "members",
    [
        [(tarfile.TarInfo("../outside.py"), b"x")],
        [(link("out", "/etc"), b""), (tarfile.TarInfo("out/outside.py"), b"x")],
    ],
    ids=["a path", "a link"],
)
def test_an_archive_writes_nothing_outside_its_folder(
    aws: str, tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    folder = tmp_path / "code"
    folder.mkdir()
    with pytest.raises(TrainingError, match="cannot be unpacked"):
        archive.fetch(BUCKET, stored(*members), folder)
    assert [path.name for path in tmp_path.iterdir()] == ["code"]


def test_an_archive_that_unpacks_to_too_much_is_refused(
    aws: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", 1000)
    with pytest.raises(TrainingError, match="leave out"):
        archive.fetch(BUCKET, stored((tarfile.TarInfo("zeros"), bytes(1001))), tmp_path)
    assert list(tmp_path.iterdir()) == []


def kept(job_id: str) -> dict[str, bytes]:
    s3 = boto3.client("s3")
    items = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"code-checkpoints/{job_id}/").get("Contents", [])
    return {item["Key"]: s3.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read() for item in items}


def test_the_next_attempt_finds_what_the_last_one_left(aws: str, tmp_path: Path) -> None:
    first = CheckpointFolder(tmp_path / "first", BUCKET, "job_000081")
    assert first.restore() == []
    (tmp_path / "first" / "deep").mkdir()
    (tmp_path / "first" / "deep" / "model.pt").write_bytes(b"1")
    (tmp_path / "first" / "old.pt").write_bytes(b"0")
    first.save()
    (tmp_path / "first" / "old.pt").unlink()
    (tmp_path / "first" / "deep" / "model.pt").write_bytes(b"22")
    first.save()
    assert kept("job_000081") == {"code-checkpoints/job_000081/deep/model.pt": b"22"}

    second = CheckpointFolder(tmp_path / "second", BUCKET, "job_000081")
    assert second.restore() == ["deep/model.pt"]
    assert (tmp_path / "second" / "deep" / "model.pt").read_bytes() == b"22"
    second.forget()
    assert kept("job_000081") == {}


def test_what_has_not_changed_is_not_copied_again(aws: str, tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "kept", BUCKET, "job_000082")
    (tmp_path / "kept" / "model.pt").write_bytes(b"1")
    folder.save()
    boto3.client("s3").delete_object(Bucket=BUCKET, Key="code-checkpoints/job_000082/model.pt")
    folder.save()
    assert kept("job_000082") == {}


def test_a_key_that_leads_out_of_the_folder_is_not_restored(aws: str, tmp_path: Path) -> None:
    """All jobs share a role, so another one can write it."""
    boto3.client("s3").put_object(Bucket=BUCKET, Key="code-checkpoints/job_000083/../../outside", Body=b"x")
    folder = CheckpointFolder(tmp_path / "a" / "kept", BUCKET, "job_000083")
    assert folder.restore() == []
    assert list(tmp_path.rglob("outside")) == []


def test_checkpoints_that_cannot_be_saved_do_not_end_the_script(
    aws: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = CheckpointFolder(tmp_path / "kept", "no-such-bucket", "job_000084")
    (tmp_path / "kept" / "model.pt").write_bytes(b"1")
    folder.save()
    assert "checkpoints.not_saved" in capsys.readouterr().out
