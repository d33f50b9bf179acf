"""Change the tags and the note of a run, which MLflow keeps as a tag too."""

from mlops.api.auth import Caller, require_name
from mlops.api.schemas.experiments import EditedRun, RunEdit
from mlops.registry.runs import Runs

NOTE = "mlflow.note.content"


def edit(runs: Runs, experiment: str, run_id: str, change: RunEdit, caller: Caller) -> EditedRun:
    """Change what the request names, and return all tags of the run.

    Args:
        runs: MLflow's runs.
        experiment: Name or id of the run's experiment.
        run_id: The run.
        change: What is to change.
        caller: Whose key asks.

    Raises:
        NotFound: There is no such experiment, or it has no such run.
        Forbidden: The key is not for the experiment.
        DependencyUnavailable: MLflow does not answer.
    """
    experiment_id, name = runs.experiment_of(experiment)
    require_name(caller, name, "experiment")
    before = runs.tags(experiment_id, run_id)
    wanted: dict[str, str | None] = dict(change.tags)
    if change.note is not None:
        wanted[NOTE] = change.note or None
    # MLflow refuses to remove what is not there: so whoever sends a request again gets the same answer.
    runs.change_tags(run_id, {key: value for key, value in wanted.items() if before.get(key) != value})
    tags = runs.tags(experiment_id, run_id)
    return EditedRun(experiment_id=experiment_id, run_id=run_id, tags=tags, note=tags.get(NOTE))
