"""What a logged model's files say: flavours, versions, and why it does not load."""

import platform
from pathlib import Path

import pytest

from conversion.errors import Refused
from conversion.logged_model import LoggedModel
from conversion.versions import differences
from tests.unit.converting.conftest import logged_by_hand, pickled


def said(folder: Path) -> str:
    with pytest.raises(Refused) as refused:
        LoggedModel.read(folder).load()
    return str(refused.value)


@pytest.mark.parametrize(
    ("flavours", "reason"),
    [
        ("  python_function:\n    loader_module: mlflow.pyfunc.model\n", "python_function, which say nothing"),
        ("  onnx:\n    data: model.onnx\n", "in ONNX format"),
    ],
)
def test_other_flavours_are_refused_with_the_remedy(tmp_path: Path, flavours: str, reason: str) -> None:
    assert reason in said(logged_by_hand(tmp_path / "model", flavours))


@pytest.mark.parametrize("content", [None, b"", b"- a list", b"flavors: [", b"\xff\xfe"])
def test_files_without_mlmodel_are_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "MLmodel").write_bytes(content)
    assert "no MLmodel that can be read" in said(tmp_path)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("raise ValueError('of my own')", "cannot be loaded (ValueError: of my own)"),
        ("import no_such_package", "needs the package no_such_package, which the platform does not have"),
    ],
)
def test_a_model_that_does_not_load_says_why(tmp_path: Path, program: str, reason: str) -> None:
    assert reason in said(pickled(tmp_path / "model", program))


def test_small_differences_of_versions_are_noted(tmp_path: Path) -> None:
    folder = pickled(tmp_path / "model", "")
    (folder / "python_env.yaml").write_text(f"python: {platform.python_version()}\n")
    (folder / "requirements.txt").write_text("numpy==1.19.0\nno-such-package==1.0\n-r other.txt\nmlflow\n\n# remark\n")
    found = differences(folder, "sklearn")
    assert found.grave == ()
    assert [text.partition(" (")[0] for text in found.slight] == ["numpy 1.19.0", "no-such-package 1.0"]
    notes = LoggedModel.read(folder).check_versions()
    assert notes[1] == "logged with no-such-package 1.0 (not here)"


@pytest.mark.parametrize("text", ["", "python: {}", "python: x.y", "[", "other: 1"])
def test_files_that_do_not_say_the_version_are_no_difference(tmp_path: Path, text: str) -> None:
    (tmp_path / "python_env.yaml").write_text(text)
    assert differences(tmp_path, "sklearn").grave == ()
