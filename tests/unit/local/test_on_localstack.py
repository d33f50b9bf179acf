"""A stack on LocalStack: its settings, its installation, its plug-ins, and what is forgotten with a LocalStack."""

import ast
import re
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from infra.local import folder
from infra.local.errors import LocalStackError
from infra.local.localstack import build
from infra.local.localstack.environment import server_environment, venv
from infra.local.settings import ROOT, Settings
from infra.local.stack import Stack

FOLDER = ROOT / "infra/local/localstack"


def test_a_stack_on_localstack_has_a_folder_of_its_own():
    settings = Settings.from_environment({"MLOPS_AWS": "localstack"})
    assert settings.home == ROOT / ".localstack"
    assert Settings.from_environment(settings.to_environment()) == settings


def test_another_local_aws_is_refused_by_name():
    with pytest.raises(LocalStackError, match="MLOPS_AWS='moto' is no local AWS: choose one of ministack, localstack"):
        Settings.from_environment({"MLOPS_AWS": "moto"})


def test_a_machine_without_python_3_13_is_told_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHON313", str(tmp_path / "none"))
    with pytest.raises(LocalStackError, match=r"needs Python 3\.13: install it, or set PYTHON313 to its program"):
        build.install(Settings(root=tmp_path))


@pytest.mark.skipif(sys.version_info[:2] == (3, 13), reason="the Python of the tests is the one that is wanted")
def test_another_python_is_not_taken_for_3_13(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHON313", sys.executable)
    with pytest.raises(LocalStackError, match="needs Python 3"):
        build.install(Settings(root=tmp_path))


def test_an_installation_that_is_complete_stays(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHON313", str(tmp_path / "none"))
    settings = Settings(root=tmp_path)
    venv(settings).mkdir()
    (venv(settings) / "installed").write_text(build.REQUIREMENTS.read_text())
    assert build.install(settings) is False


def test_every_package_of_localstack_is_pinned():
    lines = [line for line in build.REQUIREMENTS.read_text().splitlines() if not line.startswith("#")]
    assert "localstack-core==4.14.0" in lines
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []


def test_every_plug_in_is_there():
    points = ConfigParser(delimiters=("=",))
    points.read(next((FOLDER / "plugins").glob("*.dist-info")) / "entry_points.txt")
    named = [value.split(":") for group in points.values() for value in group.values()]
    assert len(named) == 7
    for module, name in named:
        source = ast.parse((ROOT / module.replace(".", "/")).with_suffix(".py").read_text())
        made = [each.name for each in source.body if isinstance(each, ast.ClassDef | ast.FunctionDef)]
        assert name in made, f"{module} has no {name}"


def test_localstack_listens_on_this_machine_alone_and_calls_nobody(tmp_path):
    settings = Settings(home=tmp_path, aws_port=1234)
    folder.prepare(settings)
    settings.env_file.write_text(f"AWS_ACCESS_KEY_ID=LOCAL{'A' * 15}\nAWS_SECRET_ACCESS_KEY={'s' * 40}\n")
    given = server_environment(settings, Path("/python"))
    assert given["GATEWAY_LISTEN"] == "127.0.0.1:1234"
    assert (given["DISABLE_EVENTS"], given["SKIP_SSL_CERT_DOWNLOAD"], given["DNS_ADDRESS"]) == ("1", "1", "0")


def test_what_belonged_to_a_localstack_that_ended_is_forgotten(tmp_path):
    """The runs in the database would name files that are gone, and the template would count as deployed."""
    settings = Settings(home=tmp_path / "home", emulator="localstack")
    folder.prepare(settings)
    for path in (settings.database_dir / "16/data", settings.batch_file, settings.aws_tmp_dir / "s3/object"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("of the one that ended")
    for name in ("deployed", "migrated", "env", "model-types.json"):
        (settings.home / name).write_text("")
    folder.forget(settings)
    left = {path.name for path in settings.home.iterdir()}
    assert {"env", "model-types.json", "log", "run"} <= left
    assert not {"deployed", "migrated", "postgres"} & left
    assert [*settings.aws_dir.iterdir(), *settings.aws_tmp_dir.iterdir()] == []


def test_a_stack_on_localstack_that_never_started_is_stopped_and_removed(tmp_path):
    stack = Stack(Settings(home=tmp_path / "home", emulator="localstack"), say=lambda text: None)
    assert stack.down() is False
    assert stack.reset() is False
