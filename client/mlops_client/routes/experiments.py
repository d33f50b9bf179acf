"""Experiments and their runs."""

from __future__ import annotations

from collections.abc import Sequence

from mlops_client.listing import Listing
from mlops_client.models import Comparison, Experiment, RunDetail, RunRow
from mlops_client.records import decode
from mlops_client.routes.base import Routes
from mlops_client.transport import path


class ExperimentRoutes(Routes):
    """Read experiments and compare their runs."""

    def experiments(self, limit: int = 50) -> Listing[Experiment]:
        """Return at most `limit` experiments, the newest first, each with its best run."""
        return self._pages("/experiments", "experiments", Experiment, limit)

    def runs(self, experiment: str, order_by: str = "objective desc", limit: int = 50) -> Listing[RunRow]:
        """Return the runs of an experiment.

        Args:
            experiment: Its name or ID.
            order_by: objective, metrics.<name>, params.<name> or a field such as started_at, followed by asc or desc.
                With `objective desc` the best runs come first.
            limit: How many runs to return at most.
        """
        return self._pages(path("experiments", experiment), "runs", RunRow, limit, {"order_by": order_by})

    def run(self, experiment: str, run_id: str) -> RunDetail:
        """Return one run with its parameters, metrics and their history, tags and artifacts."""
        return decode(RunDetail, self.transport.call("GET", path("experiments", experiment, "runs", run_id)))

    def compare(self, experiment: str, run_ids: Sequence[str]) -> Comparison:
        """Compare 2 to 10 runs: differences come first, with the best run of each metric."""
        query = {"runs": ",".join(run_ids)}
        return decode(Comparison, self.transport.call("GET", path("experiments", experiment, "compare"), query=query))
