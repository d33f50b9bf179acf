"""Whose program is at the other end of a connection on this machine, where the system says so (Linux)."""

from __future__ import annotations

import logging
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path

from infra.local.guard.asgi import App, Receive, Scope, Send, answer

log = logging.getLogger("peers")

# https://docs.kernel.org/networking/proc_net_tcp.html; a program may reach 127.0.0.1 by an IPv6 socket, too.
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_ESTABLISHED = "01"
_ROOT = 0


def own_user_only(app: App) -> App:
    """`app`, for programs of the user who runs it and of root; where the system does not tell, for all."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and is_foreign(scope["client"], scope["server"], {os.geteuid(), _ROOT}):
            log.warning("refused %s %s: a program of another user", scope["method"], scope["path"])
            reason = b"This server answers programs of the user who started it only.\n"
            await answer(scope, send, 403, [("content-type", "text/plain")], reason)
        else:
            await app(scope, receive, send)

    return guarded


def is_foreign(client: tuple[str, int], server: tuple[str, int], own: set[int]) -> bool:
    """Whether the socket at `client`, connected to `server`, is of a user who is not in `own`.

    A socket that its program has closed has no owner any more and counts as foreign.
    """
    there, here = _address(*client), _address(*server)
    owners: set[int] = set()
    told = False
    for table in _TABLES:
        with suppress(OSError):
            for row in table.read_text().splitlines()[1:]:
                fields = row.split()
                local, remote, state = fields[1:4]
                told = told or (local.endswith(here) and remote.endswith(there))
                if local.endswith(there) and remote.endswith(here) and state == _ESTABLISHED:
                    owners.add(int(fields[7]))
    return told and not (owners and owners <= own)


def _address(host: str, port: int) -> str:
    """An IPv4 address as the tables write it: the number in this machine's byte order."""
    return f"{int.from_bytes(socket.inet_aton(host), sys.byteorder):08X}:{port:04X}"
