"""A folder that cannot hold the stack's state is refused in one line that names the remedy."""

import errno
import os
import time
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor

import pytest

from infra.local import folder
from infra.local.errors import LocalStackError
from infra.local.settings import Settings


def test_a_file_in_the_folders_place(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LocalStackError, match=r"MLOPS_LOCAL_DIR"):
        folder.prepare(Settings(home=tmp_path / "file" / "state"))


def test_a_folder_of_somebody_else(tmp_path):
    (tmp_path / "thesis.txt").write_text("")
    with pytest.raises(LocalStackError, match=r"contains other files"):
        folder.prepare(Settings(home=tmp_path))
    with pytest.raises(LocalStackError, match=r"was not created by the stack"):
        folder.remove(Settings(home=tmp_path))
    assert (tmp_path / "thesis.txt").exists()


@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENOSPC, "is full"), (errno.EROFS, "cannot be written"), (errno.EACCES, "permissions")]
)
def test_a_disk_that_takes_nothing(tmp_path, monkeypatch, number, words):
    def refuse(*_args, **_kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("pathlib.Path.write_text", refuse)
    with pytest.raises(LocalStackError, match=words):
        folder.prepare(Settings(home=tmp_path / "state"))


def test_too_little_space_is_said_before_anything_starts(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(1, 1, 5 * 1024**2))
    with pytest.raises(LocalStackError, match=r"5 MB of free space"):
        folder.prepare(Settings(home=tmp_path / "state"))


def test_one_command_at_a_time(tmp_path):
    settings = Settings(home=tmp_path / "state")
    folder.prepare(settings)
    with (
        folder.locked(settings, "up"),
        pytest.raises(LocalStackError, match=rf"another `up` \(pid {os.getpid()}\) is running"),
        folder.locked(settings, "up"),
    ):
        pass
    with folder.locked(settings, "down"):
        pass


def test_a_command_waits_as_long_as_it_is_told(tmp_path):
    settings = Settings(home=tmp_path / "state")
    folder.prepare(settings)
    with ThreadPoolExecutor(1) as other, folder.locked(settings, "up"):
        waiting = other.submit(lambda: folder.locked(settings, "down", max_wait=30).__enter__())
        time.sleep(0.2)
        assert not waiting.done()
    waiting.result()


def test_a_disk_that_has_become_read_only_does_not_keep_down_from_stopping(tmp_path, monkeypatch):
    settings = Settings(home=tmp_path / "state")
    folder.prepare(settings)

    def refuse(*_args, **_kwargs):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    with folder.locked(settings, "down"):
        pass


def test_what_was_made_can_be_removed(tmp_path):
    settings = Settings(home=tmp_path / "state")
    folder.prepare(settings)
    folder.prepare(settings)
    assert folder.remove(settings)
    assert not folder.remove(settings)


@pytest.mark.parametrize(
    ("failure", "raised"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "cluster"), LocalStackError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_a_removal_that_stops_half_way_can_be_run_again(tmp_path, monkeypatch, failure, raised):
    settings = Settings(home=tmp_path / "state")
    folder.prepare(settings)

    def stop(*_args, **_kwargs):
        raise failure

    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", stop)
        with pytest.raises(raised):
            folder.remove(settings)
    folder.prepare(settings)
    assert folder.remove(settings)
    assert not settings.home.exists()


def test_a_first_start_that_ended_before_the_marker_can_be_reset(tmp_path):
    settings = Settings(home=tmp_path / "state")
    settings.home.mkdir()
    assert folder.remove(settings)
    assert not settings.home.exists()
