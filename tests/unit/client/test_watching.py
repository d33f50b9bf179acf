"""What a watch shows: on a terminal a display that moves, elsewhere a line per change."""

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from mlops_client.cli import output, scoring, watching
from mlops_client.models import Progress
from tests.unit.client.test_scores import job


def states(*epochs: int) -> Iterator[Any]:
    """A job after these epochs of 4; it has ended after the last one."""
    for epoch in epochs:
        status = "completed" if epoch == epochs[-1] else "running"
        yield replace(job(1, rmse=0.5 - epoch / 10), status=status, progress=Progress(epoch=epoch, epochs=4))


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let commands print to a console, and return what it gets."""
    monkeypatch.setattr(watching, "POLL_SECONDS", 0)

    def use(terminal: bool) -> io.StringIO:
        file = io.StringIO()
        out = Console(file=file, force_terminal=terminal, width=60, color_system=None, legacy_windows=False)
        monkeypatch.setattr(output, "console", lambda stderr=False: out)
        return file

    return use


def test_a_bar_has_a_line_of_its_own(on: Any) -> None:
    written = on(terminal=True)
    ended = states(0, 2, 4)
    watching.watch_job(lambda: next(ended), "job_000001")
    last = written.getvalue().split("\x1b[2K")[-1].splitlines()
    bars = [line for line in last if "━" in line]
    assert bars
    assert {line.strip("━╸╺ ") for line in bars} == {""}, "no text beside the bar"
    assert any(line.startswith("rmse 0.1") for line in last)
    assert written.getvalue().replace("\x1b[?25h", "").endswith("\n"), "what is printed next has a line of its own"


def test_elsewhere_each_change_is_a_line(on: Any) -> None:
    written = on(terminal=False)
    ended = states(0, 0, 2, 4)
    watching.watch_job(lambda: next(ended), "job_000001")
    assert written.getvalue().splitlines() == [
        "job_000001 running 0/4 rmse 0.5",
        "job_000001 running 2/4 rmse 0.3",
        "job_000001 completed 4/4 rmse 0.1",
    ]


def test_a_line_that_counts_rows_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stderr", written := Terminal())
    with scoring._progress(as_json=False) as show:
        show(1000)
        show(2000)
    assert written.getvalue() == "\r1,000 rows \r2,000 rows \n"
