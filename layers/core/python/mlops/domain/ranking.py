"""Which run of a sweep is the best."""

from typing import Any

RANKED_BY = "accuracy"


def ranked(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The best accuracy first; runs that failed or have none come last, in the order of their numbers."""

    def key(run: dict[str, Any]) -> tuple[bool, float, str]:
        accuracy = run.get("metrics", {}).get(RANKED_BY) if run["status"] == "completed" else None
        return (accuracy is None, -(accuracy or 0.0), run["job_id"])

    return sorted(runs, key=key)
