"""Refuse programs of other users of this machine, where the system shows whose a connection is (Linux)."""

from __future__ import annotations

import logging
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path

from infra.local.guard.asgi import App, Receive, Scope, Send, answer

log = logging.getLogger("peers")

# https://docs.kernel.org/networking/proc_net_tcp.html; a program can reach 127.0.0.1 by an IPv6 socket, too.
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_ESTABLISHED = "01"
_ROOT = 0


def own_user_only(app: App) -> App:
    """Wrap `app`, for programs of the user who runs it and of root; for all, where the system does not show whose."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and is_foreign(scope["client"], scope["server"], {os.geteuid(), _ROOT}):
            log.warning("refused %s %s: a program of another user", scope["method"], scope["path"])
            reason = b"This server only answers programs of the user who started it.\n"
            await answer(scope, send, 403, [("content-type", "text/plain")], reason)
        else:
            await app(scope, receive, send)

    return guarded


def is_foreign(client: tuple[str, int], server: tuple[str, int], own: set[int]) -> bool:
    """Say whether the socket at `client`, connected to `server`, belongs to a user who is not in `own`.

    A socket that its program has closed has no owner any more and counts as foreign.
    """
    there, here = _address(*client), _address(*server)
    owners: set[int] = set()
    is_listed = False
    for table in _TABLES:
        with suppress(OSError):
            for row in table.read_text().splitlines()[1:]:
                fields = row.split()
                local, remote, state = fields[1:4]
                is_listed = is_listed or (local.endswith(here) and remote.endswith(there))
                if local.endswith(there) and remote.endswith(here) and state == _ESTABLISHED:
                    owners.add(int(fields[7]))
    return is_listed and not (owners and owners <= own)


def _address(host: str, port: int) -> str:
    """Write an IPv4 address as the tables do: the number in the byte order of this machine."""
    return f"{int.from_bytes(socket.inet_aton(host), sys.byteorder):08X}:{port:04X}"
