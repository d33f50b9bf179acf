"""Whose a connection is, asked of real sockets."""

import os
import socket
import subprocess
import sys
from contextlib import closing, contextmanager

import pytest

from infra.local.guard import peers

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells whose a connection is")
OWN = {os.geteuid()}


@contextmanager
def connection(family=socket.AF_INET):
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        address = listening.getsockname()
        client = socket.socket(family)
        client.connect(address if family == socket.AF_INET else (f"::ffff:{address[0]}", address[1]))
        accepted, peer = listening.accept()
        with closing(client), closing(accepted):
            yield client, peer, accepted.getsockname()


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_ones_own_is_told_from_anothers(family):
    try:
        with connection(family) as (_client, peer, server):
            assert not peers.is_foreign(peer, server, OWN)
            assert peers.is_foreign(peer, server, {os.geteuid() + 1})
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")


def test_a_socket_that_was_closed_at_once_is_nobodys():
    """The kernel shows such a one with the owner 0, who is root."""
    with connection() as (client, peer, server):
        client.close()
        assert peers.is_foreign(peer, server, OWN | {0})


def test_where_the_system_does_not_tell_all_pass(monkeypatch, tmp_path):
    monkeypatch.setattr(peers, "_TABLES", (tmp_path / "missing",))
    with connection() as (_client, peer, server):
        assert not peers.is_foreign(peer, server, set())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_a_program_of_another_user_is_foreign():
    # What it imports it has to import as root: the other user may not enter this Python's folder.
    code = (
        "import encodings.idna, os, socket, sys; os.setuid(65534);"
        "s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))"
    )
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        listening.settimeout(30)
        port = listening.getsockname()[1]
        command = [sys.executable, "-c", f"{code}; sys.stdin.read()", str(port)]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as other:
            accepted, peer = listening.accept()
            with closing(accepted):
                assert peers.is_foreign(peer, accepted.getsockname(), {0})
            other.stdin.close()
