"""A server that runs already is found, whichever version of the stack started it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.services import Service
from infra.local.settings import Settings
from tests.support.steps import free_ports


@pytest.fixture
def running(tmp_path):
    """A process started as a service of the folder `tmp_path`, by another version: with other arguments."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]
    child = subprocess.Popen(command, cwd=tmp_path, env={**os.environ, "MLOPS_LOCAL_DIR": str(tmp_path)})
    yield child
    child.kill()
    child.wait()


def service(home: Path) -> Service:
    settings = Settings(home=home)
    settings.run_dir.mkdir(exist_ok=True)
    return Service(
        name="tracking",
        command=(sys.executable, "-m", "http.server", "--directory", "of this version"),
        cwd=home,
        environment=dict,
        ports={},
        health="http://127.0.0.1:9",
        settings=settings,
        sources=(),
    )


@pytest.mark.parametrize("record", [None, '{"pid": 1, "identity": "boot:123"}', "{"])
def test_what_another_version_started_is_found_and_stopped(tmp_path, running, record):
    found = service(tmp_path)
    if record is not None:
        (tmp_path / "run/tracking.json").write_text(record)
    process = found.process()
    assert process is not None
    assert process.pid == running.pid
    assert found.stop()
    assert running.wait(5) != 0
    assert found.process() is None


def test_a_server_of_another_folder_is_not_this_one(tmp_path, running):
    other = tmp_path / "other"
    other.mkdir()
    assert service(other).process() is None


def test_a_process_is_current_only_as_it_would_be_started_now(tmp_path, running):
    """A LocalStack that has to be started anew has forgotten everything, and so must the database."""
    found = service(tmp_path)
    assert not found.current(), "it has no stamp"
    (tmp_path / "run/tracking.stamp").write_text("of another version")
    assert not found.current()
