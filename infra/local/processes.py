"""Start, find again and stop processes that outlive the command that started them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from infra.local.account import Account
from infra.local.errors import LocalStackError
from infra.local.settings import HOST

# Children of this interpreter, so that one that ended is reaped instead of staying a zombie.
_children: dict[int, subprocess.Popen[bytes]] = {}
# psutil counts from the time of the boot, which Linux derives from the clock: a correction of the clock moves both.
_CLOCK_TOLERANCE_SECONDS = 2.0


@dataclass(frozen=True)
class Process:
    """A process and when it was created (Unix time), so that a recycled pid is never taken for it."""

    pid: int
    create_time: float

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """The process that has `pid` now; None for a dead one or a zombie."""
        try:
            process = psutil.Process(pid)
            return None if process.status() == psutil.STATUS_ZOMBIE else cls(pid, process.create_time())
        except (psutil.Error, ValueError, OverflowError):
            return None

    @classmethod
    def from_record(cls, record: object) -> Process | None:
        """The process that `asdict` wrote down, whether or not it runs; None for a record of another form."""
        if not isinstance(record, dict):
            return None
        pid, create_time = record.get("pid"), record.get("create_time")
        return cls(pid, create_time) if isinstance(pid, int) and isinstance(create_time, float) else None

    def alive(self) -> bool:
        """Whether this very process still runs; a zombie does not."""
        child = _children.get(self.pid)
        if child is not None:
            child.poll()
        found = Process.of(self.pid)
        return found is not None and abs(found.create_time - self.create_time) < _CLOCK_TOLERANCE_SECONDS

    def stop(self, grace: float, *, first: signal.Signals = signal.SIGTERM) -> bool:
        """End the process and its group: `first`, then SIGKILL after `grace` seconds. False if it was not running."""
        if not self.alive():
            return False
        self.signal(first)
        if not self.wait(grace):
            self.signal(signal.SIGKILL)
            self.wait(5)
        return True

    def signal(self, number: signal.Signals) -> None:
        """Signal the process's group when it leads one, else the process alone."""
        if not self.alive():
            return
        with suppress(ProcessLookupError, PermissionError):
            if os.getpgid(self.pid) == self.pid:
                os.killpg(self.pid, number)
            else:
                os.kill(self.pid, number)

    def wait(self, seconds: float) -> bool:
        """Wait for the end; False if it still runs after `seconds`."""
        deadline = time.monotonic() + seconds
        while self.alive():
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        return True


@dataclass(frozen=True)
class ProcessFile:
    """The record of a running process: `<name>.json` in the stack's run folder."""

    path: Path

    def read(self) -> Process | None:
        """The recorded process if it still runs, else None."""
        try:
            process = Process.from_record(json.loads(self.path.read_text()))
        except (OSError, ValueError):
            return None
        return process if process is not None and process.alive() else None

    def write(self, process: Process) -> None:
        write_atomically(self.path, json.dumps(asdict(process)))

    def remove(self) -> None:
        with suppress(OSError):
            self.path.unlink(missing_ok=True)


def write_atomically(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file in one step, readable by its owner alone: a reader sees the old text or the new."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(part, mode)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def start_detached(
    command: Sequence[str], *, log: Path, cwd: Path, env: Mapping[str, str], account: Account | None = None
) -> Process:
    """Start `command` in a session of its own, as `account` if one is given, with its output appended to `log`."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=dict(env),
            start_new_session=True,
            **(account.popen() if account else {}),
        )
    _children[child.pid] = child
    process = Process.of(child.pid)
    if process is None:
        raise LocalStackError(f"{Path(command[0]).name} ended at once: {last_words(log)} (see {log})")
    return process


def wait_until_ready(name: str, process: Process, ready: Callable[[], bool], *, log: Path, seconds: float) -> None:
    """Poll `ready` until it holds. Raises LocalStackError when the process dies or takes longer than `seconds`."""
    deadline = time.monotonic() + seconds
    while not ready():
        if not process.alive():
            raise LocalStackError(f"{name} died while starting: {last_words(log)} (see {log})")
        if time.monotonic() >= deadline:
            raise LocalStackError(f"{name} did not answer within {seconds:.0f} s: {last_words(log)} (see {log})")
        time.sleep(0.05)


def last_words(log: Path, lines: int = 40) -> str:
    """The line of a log's end that says most: the last one with an error if there is one."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16_384))
            tail = file.read().decode(errors="replace").splitlines()[-lines:]
    except OSError:
        return "it left no log"
    written = [line.strip() for line in tail if line.strip()]
    errors = [line for line in written if "Error" in line or "FATAL" in line]
    return (errors or written or ["it wrote nothing"])[-1]


def port_is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:`port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen()
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on, told apart by holding them all open at once."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def port_taken(port: int, *, max_wait: float = 3.0) -> str | None:
    """None for a free port, else ` by name (pid N)`, or nothing where the system does not tell who holds it.

    A killed process holds its ports a moment longer than it is seen to run, so a port nobody is known to hold is
    waited for.
    """
    deadline = time.monotonic() + max_wait
    while not port_is_free(port):
        holder = _port_holder(port)
        if holder or time.monotonic() >= deadline:
            return holder
        time.sleep(0.05)
    return None


def _port_holder(port: int) -> str:
    with suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
            if listens and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return ""
