"""Run commands on a terminal of their own, and draw their output as SVG."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ERASED = "\x1b[2K"
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
# The template of Rich loads a font from another host; this one uses the fonts of the reader.
SVG = re.sub(r"@font-face \{\{.*?\}\}|<!--.*?-->", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
SVG = SVG.replace("Fira Code, monospace", FONTS)


def _colours(text: str) -> list[tuple[int, int, int]]:
    return [(each[0], each[1], each[2]) for each in map(bytes.fromhex, text.split())]


BACKGROUND, FOREGROUND = _colours("161a22 dee2ea")
# Black, red, green, yellow, blue, magenta, cyan, white; then their bright forms.
THEME = TerminalTheme(
    BACKGROUND,
    FOREGROUND,
    _colours("282e3a ff8278 6fd397 f0c063 82a0ff e890d4 5fd0d6 dee2ea"),
    _colours("788294 ff968c 83e7ab fad477 96b4ff f2a4e8 73e4ea ffffff"),
)


def on_terminal(
    command: Sequence[str],
    environment: Mapping[str, str],
    columns: int,
    cwd: Path | None = None,
    typed: Callable[[str], bytes] = lambda written: b"",
) -> tuple[int, str]:
    """Run a command on a terminal of its own; returns its exit code and its output, control sequences included.

    `typed` gets the output so far and returns the keys to press.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    inherited = {
        name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "CI", "NO_COLOR")
    }
    with subprocess.Popen(
        command,
        env=inherited | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"} | dict(environment),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=cwd,
        start_new_session=True,
        preexec_fn=_take_the_terminal,
    ) as running:
        os.close(theirs)
        written = b""
        while True:
            try:
                written += os.read(ours, 65536)
            except OSError:  # how Linux reports the end of a terminal
                break
            os.write(ours, typed(written.decode(errors="ignore")))
        os.close(ours)
    return running.returncode, written.decode()


def _take_the_terminal() -> None:
    """In the child: make standard input the terminal of its session, so that Ctrl-C reaches it."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def mlops(environment: Mapping[str, str], *arguments: str, columns: int = 100, cwd: Path | None = None) -> str:
    """Run `mlops …`; returns what a terminal shows at its end, with a prompt. Raises RuntimeError when it fails."""
    code, written = on_terminal([sys.executable, "-m", "mlops_client", *arguments], environment, columns, cwd)
    # A progress display is drawn again and again; its last state follows the last erased line.
    shown = written.rpartition(ERASED)[2].replace("\r\n", "\n")
    if code != 0:
        raise RuntimeError(f"mlops {' '.join(arguments)} ended with {code}: {shown}")
    return f"\x1b[1;32m$\x1b[0m mlops {' '.join(arguments)}\n{shown}"


def svg(name: str, *screens: str, columns: int = 100) -> str:
    """Draw screens one below the other, as one picture."""
    console = Console(record=True, width=columns, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi("\n".join(screens).strip("\n") + "\n"), soft_wrap=True)
    return console.export_svg(title="mlops", theme=THEME, code_format=SVG, unique_id=f"mlops-{name}")
