"""The time that the steps of a process take."""

import time


class Clock:
    """Seconds and processor seconds of each step, from the clock's making on.

    The processor's seconds leave out what other programs took, so they compare well on a machine that is not idle.
    """

    def __init__(self) -> None:
        self._before = time.perf_counter(), time.process_time()
        self._seconds: dict[str, float] = {}
        self._cpu_seconds: dict[str, float] = {}

    def note(self, step: str) -> None:
        """End a step."""
        now = time.perf_counter(), time.process_time()
        self._seconds[step] = now[0] - self._before[0]
        self._cpu_seconds[step] = now[1] - self._before[1]
        self._before = now

    def result(self) -> dict[str, dict[str, float]]:
        """Return the steps' seconds, with their sum as `whole`."""
        measures = {"seconds": self._seconds, "cpu_seconds": self._cpu_seconds}
        return {name: {**steps, "whole": sum(steps.values())} for name, steps in measures.items()}
