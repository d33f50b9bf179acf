"""What the scenes of the demo have in common: to wait and show, to promote, and to wait for predict."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live

from infra.local.api import Api
from infra.local.errors import LocalStackError

ENDED = ("completed", "failed", "cancelled")
UNDER_WAY = ("queued", "converting")


def states(read: Callable[[], Any], has_ended: Callable[[Any], bool], seconds: float = 600) -> Iterator[Any]:
    """Yield what `read` returns until it has ended. Raises TimeoutError after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        yield (state := read())
        if has_ended(state):
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"the jobs have not ended after {seconds:.0f} s")
        time.sleep(0.3)


def watch(
    console: Console, answers: Iterator[Any], drawn: Callable[[Any], RenderableType], line: Callable[[Any], str]
) -> Any:
    """Show each answer, and return the last one.

    Args:
        console: On a terminal an answer takes the place of the one before. In a file each change is a line, and the
            last answer follows as a whole.
        answers: At least one.
        drawn: An answer as a whole.
        line: An answer in a line.
    """
    answer: Any = None
    if console.is_terminal:
        with Live(console=console, refresh_per_second=4) as live:
            for answer in answers:
                live.update(drawn(answer))
        return answer
    told = ""
    for answer in answers:
        if (text := line(answer)) != told:
            console.print(f"  {text}", soft_wrap=True)
            told = text
    console.print(drawn(answer))
    return answer


def promoted(api: Api, console: Console, transition_id: str) -> int:
    """Wait for a transition, show what the gate found, and return the version. Raises LocalStackError: refused."""
    route = f"/models/transitions/{transition_id}"
    transition = api.wait(route, until=lambda answer: answer["status"] not in UNDER_WAY)
    for gate in transition["gates"]:
        mark = "ok" if gate["passed"] else "no"
        console.print(f"  {mark}  {gate['check']:12} {gate['detail']}", soft_wrap=True, markup=False)
    if transition["status"] != "succeeded":
        raise LocalStackError(f"the promotion was {transition['status']}: {transition['error']}")
    before = transition["replaced_version"]
    archived = f"; version {before} is archived" if before else ""
    console.print(
        f"  [bold green]{transition['model_name']} version {transition['version']} is in Production[/]{archived}"
    )
    return int(transition["version"])


def until_served(api: Api, request: dict[str, Any], version: int, seconds: float = 30) -> None:
    """Predict looks for a new version every few seconds; each of its environments for itself."""
    deadline = time.monotonic() + seconds
    while api.post("/predict", request)["model_version"] != version:
        if time.monotonic() > deadline:
            raise TimeoutError(f"/predict does not answer from version {version} after {seconds:.0f} s")
        time.sleep(0.2)
