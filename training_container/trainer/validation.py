"""What a run's objective is on the rows for validation, and where the model type itself measures it."""

from collections.abc import Mapping

from mlops.domain.objective import Objective
from trainer.data import Dataset
from trainer.evaluation import evaluate
from trainer.models import Trained


def reported(objective: Objective, by_the_type: Mapping[str, float]) -> dict[str, float]:
    """Return the objective as the model type reported it after its epochs; empty if it did not.

    Only a metric of the type's own is measured there.
    """
    return {name: value for name, value in by_the_type.items() if name == objective.name}


def on_validation(
    trained: Trained,
    dataset: Dataset,
    objective: Objective,
    by_the_type: Mapping[str, float],
    decision_threshold: float | None = None,
) -> dict[str, float]:
    """Return the objective on the rows for validation, under its name there; empty if it is not measured.

    Args:
        trained: The model.
        dataset: Has rows for validation.
        objective: Of the run.
        by_the_type: What the model type reported last. A metric of its own is measured there only.
        decision_threshold: As `mlops_contract.decision` has it.

    Raises:
        DataError: All rows for validation have the weight 0.
    """
    rows, name = dataset.validation, objective.on_validation.name
    if rows is None:
        return {}
    answers = trained.predict(rows.inputs)
    measured = evaluate(dataset.task, answers, rows.targets, dataset.labels, rows.weights, decision_threshold).metrics()
    found = measured.get(objective.name, by_the_type.get(name, by_the_type.get(objective.name)))
    return {} if found is None else {name: found}
