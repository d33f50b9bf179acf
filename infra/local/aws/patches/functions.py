"""Lambda's execution environments: here each is a process, a "worker" in ministack's words."""

from __future__ import annotations

import queue
import subprocess
import time
from collections.abc import Callable
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from infra.local.aws.internals import replace
from infra.local.credentials import Credentials

END_OF_INVOCATION = "\x1emlops-end-of-invocation"

# Lines of an environment that goes on running all arrive, however busy the machine; only one that closed its stderr, or
# whose child holds it, says nothing more.
_LOG_SECONDS = 30.0
_LOG_POLL_SECONDS = 0.05

# What a process that was killed while it started has left to do: to be reaped.
_REAP_SECONDS = 1.0


def credentials(key: Credentials) -> None:
    """Give functions the key of the stack: the ports refuse what is signed with theirs, the number of the account."""
    own = {**key.to_environment(), "AWS_SESSION_TOKEN": ""}
    for module in (lambda_runtime, lambda_svc):
        replace(module, "execution_credentials", lambda original: lambda config: own)


def end_of_invocation() -> None:
    """Mark the end of an invocation's log; without it each call waits up to 50 ms for lines and may miss later ones.

    The worker writes a last line of its own to stderr when the handler has returned. So a silent function is answered
    at once, and a talkative one loses nothing.
    """
    ending = "        _real_stdout.flush()\n\nrun()\n"
    mark = f"        sys.stderr.flush()\n        os.write(2, {END_OF_INVOCATION!r}.encode() + b'\\n')\n"

    def script(original: str) -> str:
        if original.count(ending) != 1:
            raise RuntimeError("ministack's Python worker does not end as expected: use the pinned version")
        return original.replace(ending, mark + ending)

    replace(lambda_runtime, "_PYTHON_WORKER_SCRIPT", script)

    def make(original: Callable[..., str]) -> Callable[..., str]:
        def drain(self: Any, first_line_wait: float = 0.05, idle_confirm: float = 0.005, hard_cap: float = 0.25) -> str:
            if type(self) is not lambda_runtime.Worker:
                return original(self, first_line_wait, idle_confirm, hard_cap)
            lines: list[str] = []
            deadline = time.monotonic() + _LOG_SECONDS
            while time.monotonic() < deadline:
                all_read = not self._stderr_thread.is_alive()
                try:
                    line = self._stderr_queue.get(block=not all_read, timeout=_LOG_POLL_SECONDS)
                except queue.Empty:
                    if all_read:
                        break
                    continue
                if line.endswith(END_OF_INVOCATION):
                    unfinished = line.removesuffix(END_OF_INVOCATION)
                    lines += [unfinished] if unfinished else []
                    break
                lines.append(line)
            return "\n".join(lines)

        return drain

    replace(lambda_runtime.Worker, "_drain_stderr_bounded", make)


def isolated_failures() -> None:
    """Let an environment that cannot start fail alone, and start one that was killed meanwhile once more.

    ministack kills all processes of the function then, and removes their folders: the requests that they were answering
    fail, and so do the starts that were under way. Lambda replaces the one environment, and repeats a start that a
    signal ended.
    """

    def make_spawn(original: Callable[[Any], None]) -> Callable[[Any], None]:
        def spawn(self: Any) -> None:
            try:
                original(self)
            except (RuntimeError, OSError):
                if not _was_killed(self._proc):
                    raise
                original(self)

        return spawn

    def make_invoke(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        def invoke(self: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
            try:
                return original(self, *args, **kwargs)
            except Exception as error:
                lambda_runtime.kill_workers([self])
                return {"status": "error", "error": f"{type(error).__name__}: {error}", "cold_start": True, "log": ""}

        return invoke

    replace(lambda_runtime.Worker, "_spawn", make_spawn)
    replace(lambda_runtime.Worker, "invoke", make_invoke)


def _was_killed(process: subprocess.Popen[str] | None) -> bool:
    """Whether a signal ended a process; None stands for one that ministack stopped itself, for an update."""
    if process is None:
        return False
    try:
        return process.wait(_REAP_SECONDS) < 0
    except subprocess.TimeoutExpired:
        return False
