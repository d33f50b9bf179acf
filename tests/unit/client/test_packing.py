"""What `mlops run` packs: the files that belong to the project, always into the same bytes."""

import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from mlops_client import packing
from mlops_client.cli.own_code import _within
from mlops_client.errors import BadInput
from mlops_client.packing import pack


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    for name, text in {
        "train.py": "print(1)",
        "lib/helper.py": "x = 1",
        "secret.env": "key",
        ".gitignore": "*.env\n",
        "lib/__pycache__/helper.pyc": "x",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def git(folder: Path, *arguments: str) -> None:
    identity = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b",
    }
    subprocess.run(
        ["git", "-C", str(folder), *arguments], check=True, capture_output=True, env={**os.environ, **identity}
    )


def names(content: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return archive.getnames()


def test_what_git_ignores_or_has_deleted_is_not_packed(project: Path) -> None:
    git(project, "init")
    (project / "old.py").write_text("")
    git(project, "add", ".")
    git(project, "commit", "-m", "first")
    (project / "old.py").unlink()
    (project / "new.py").write_text("not tracked yet")
    packed = names(pack(project, ["train.py"]).content)
    assert packed == [".gitignore", "lib/__pycache__/helper.pyc", "lib/helper.py", "new.py", "train.py"]
    with pytest.raises(BadInput, match="git ignores it"):
        pack(project, ["secret.env"])
    # Only the part of the repository that is named, with paths from there.
    assert names(pack(project / "lib", ["helper.py"]).content) == ["__pycache__/helper.pyc", "helper.py"]


def test_outside_git_hidden_files_and_caches_are_left_out(project: Path) -> None:
    assert names(pack(project, ["train.py"]).content) == ["lib/helper.py", "secret.env", "train.py"]


def test_the_same_files_are_the_same_archive_whenever_and_wherever(project: Path, tmp_path: Path) -> None:
    first = pack(project, ["train.py"])
    again = tmp_path / "elsewhere"
    shutil.copytree(project, again)
    os.utime(again / "train.py", (1, 1))
    assert pack(again, ["train.py"]).content == first.content
    (again / "train.py").write_text("print(2)")
    assert pack(again, ["train.py"]).sha256 != first.sha256


def test_a_link_is_packed_as_what_it_leads_to_and_a_folder_link_is_told(project: Path, tmp_path: Path) -> None:
    (tmp_path / "shared.py").write_text("shared = 1")
    (project / "shared.py").symlink_to(tmp_path / "shared.py")
    (project / "lib2").symlink_to(project / "lib")
    git(project, "init")
    archive = pack(project, ["train.py"])
    assert archive.left_out == ("lib2",)
    with tarfile.open(fileobj=io.BytesIO(archive.content)) as opened:
        member = opened.extractfile("shared.py")
        assert member is not None
        assert member.read() == b"shared = 1"


@pytest.mark.parametrize(("needed", "said"), [("gone.py", "there is no gone.py"), ("lib", "is no file")])
def test_a_script_that_is_not_there_is_named(project: Path, needed: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        pack(project, [needed])


def test_too_much_code_names_the_largest_files(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "data.bin").write_bytes(os.urandom(5000))
    monkeypatch.setattr(packing, "MAX_ARCHIVE_BYTES", 4000)
    with pytest.raises(BadInput, match=r"data\.bin .* MB\).*mlops upload"):
        pack(project, ["train.py"])


def test_paths_are_those_of_the_shell_or_of_the_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.parent)
    assert _within(Path("project"), "project/lib/helper.py") == "lib/helper.py"
    assert _within(Path("project"), "train.py") == "train.py"
    with pytest.raises(BadInput, match="--folder"):
        _within(Path("project"), "../other.py")
