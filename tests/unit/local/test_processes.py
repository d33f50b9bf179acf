"""Which process is meant, and what is written about it."""

import os
import socket
import stat
import subprocess
import sys

import pytest

from infra.local.processes import Process, ProcessFile, last_words, port_is_free, write_atomically


@pytest.fixture
def own():
    process = Process.of(os.getpid())
    assert process is not None
    return process


def test_a_process_knows_itself(own):
    assert own.alive()
    assert Process.of(os.getpid()) == own


def test_a_recycled_pid_is_another_process(own):
    earlier = Process(own.pid, own.create_time - 60)
    assert not earlier.alive()
    assert not earlier.stop(0.1), "stopping it would have ended this test"


def test_a_corrected_clock_makes_no_other_process(own):
    assert Process(own.pid, own.create_time - 0.5).alive()


@pytest.mark.parametrize("pid", [2**22 + 1, 2**80, -1])
def test_a_pid_without_a_process_is_none(pid):
    assert Process.of(pid) is None


def test_a_zombie_is_none():
    with subprocess.Popen([sys.executable, "-c", "pass"]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert Process.of(child.pid) is None


def test_a_record_is_read_back_while_the_process_lives(tmp_path, own):
    file = ProcessFile(tmp_path / "aws.json")
    file.write(own)
    assert file.read() == own


OF_ANOTHER_VERSION = '{"pid": 1, "identity": "5f0e:123"}'


@pytest.mark.parametrize(
    "content",
    ["", "{", "{}", "[]", '{"pid": 1}', '{"pid": 999999999, "create_time": 1.0}', OF_ANOTHER_VERSION],
)
def test_a_record_that_says_nothing_true_is_no_process(tmp_path, content):
    (tmp_path / "aws.json").write_text(content)
    assert ProcessFile(tmp_path / "aws.json").read() is None


def test_a_missing_record_is_no_process(tmp_path):
    file = ProcessFile(tmp_path / "aws.json")
    assert file.read() is None
    file.remove()


def test_a_file_is_replaced_whole_and_for_its_owner_alone(tmp_path):
    path = tmp_path / "env"
    path.write_text("old")
    path.chmod(0o644)
    write_atomically(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_the_last_words_are_the_error(tmp_path):
    log = tmp_path / "aws.log"
    log.write_text("starting\nOSError: no space\n\nbye\n")
    assert last_words(log) == "OSError: no space"
    assert last_words(tmp_path / "none") == "it left no log"


def test_a_port_with_a_listener_is_not_free():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        assert not port_is_free(listener.getsockname()[1])
