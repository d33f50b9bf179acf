"""Experiments and their runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mlops_client.listing import Listing
from mlops_client.models import ArtifactFile, Comparison, EditedRun, Experiment, RunDetail, RunRow, UsedDataset
from mlops_client.records import decode, decode_page
from mlops_client.routes.base import Routes
from mlops_client.transport import path as _path


class ExperimentRoutes(Routes):
    """Read experiments and data sets, compare runs, and note what is known about them."""

    def experiments(self, limit: int = 50, *, name: str | None = None) -> Listing[Experiment]:
        """Return at most `limit` experiments, the newest first, each with its best run. `name` is a part of theirs."""
        return self._pages("/experiments", "experiments", Experiment, limit, {"name": name})

    def runs(
        self,
        experiment: str,
        order_by: str = "objective desc",
        limit: int = 50,
        *,
        status: str | None = None,
        name: str | None = None,
        keep: Callable[[RunRow], bool] | None = None,
    ) -> Listing[RunRow]:
        """Return the runs of an experiment.

        Args:
            experiment: Its name or ID.
            order_by: objective, metrics.<name>, params.<name> or a field such as started_at, followed by asc or desc.
                With `objective desc` the best runs come first.
            limit: How many runs to return at most.
            status: running, scheduled, finished, failed or killed.
            name: A part of the runs' names.
            keep: Which runs are wanted, by their metrics or parameters. The client asks for all and chooses.
        """
        query = {"order_by": order_by, "status": status, "name": name}
        return self._pages(_path("experiments", experiment), "runs", RunRow, limit, query, keep)

    def run(self, experiment: str, run_id: str) -> RunDetail:
        """Return one run with its parameters, metrics and their history, tags and artifacts."""
        return decode(RunDetail, self.transport.call("GET", _path("experiments", experiment, "runs", run_id)))

    def artifacts(self, experiment: str, run_id: str, path: str | None = None) -> list[ArtifactFile]:
        """Return the files of a run, each with an address from which it can be downloaded for an hour.

        Args:
            experiment: Name or ID of the run's experiment.
            run_id: The run.
            path: Only this file, or the files in this folder.

        Raises:
            NotFound: The run has no such file.
        """
        route = _path("experiments", experiment, "runs", run_id, "artifacts")
        return decode_page(ArtifactFile, self.transport.call("GET", route, query={"path": path}), "artifacts")

    def edit_run(
        self, experiment: str, run_id: str, *, tags: Mapping[str, str | None] | None = None, note: str | None = None
    ) -> EditedRun:
        """Change tags and the note of a run, and return all its tags. What is left out stays as it is.

        Args:
            experiment: Name or ID of the run's experiment.
            run_id: The run.
            tags: Values by their names; None removes a tag.
            note: A text in Markdown, which MLflow shows too; an empty one removes the note.

        Raises:
            Invalid: A name begins with `mlflow.` or `mlops.`, or a value has more than 5,000 characters.
        """
        body = {**({"tags": dict(tags)} if tags else {}), **({} if note is None else {"note": note})}
        route = _path("experiments", experiment, "runs", run_id)
        return decode(EditedRun, self.transport.call("PATCH", route, body, safe=True))

    def datasets(self, limit: int = 50) -> Listing[UsedDataset]:
        """Return at most `limit` of the data sets that runs have logged, those of the newest runs first."""
        return self._pages("/datasets", "datasets", UsedDataset, limit)

    def compare(self, experiment: str, run_ids: Sequence[str]) -> Comparison:
        """Compare 2 to 10 runs: differences come first, with the best run of each metric."""
        query = {"runs": ",".join(run_ids)}
        return decode(Comparison, self.transport.call("GET", _path("experiments", experiment, "compare"), query=query))
