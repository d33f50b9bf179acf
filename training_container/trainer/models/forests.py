"""Forests of decision trees."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from mlops.domain.training_request import Range
from mlops_contract import Task
from trainer.data import Dataset
from trainer.models.estimators import EstimatorType
from trainer.models.protocols import OwnHyperparameters

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator


class ForestHyperparameters(OwnHyperparameters):
    n_estimators: Annotated[int, Field(ge=1, le=2000, description="Trees")] = 100
    max_depth: Annotated[int | None, Field(ge=1, le=100, description="Deepest level of a tree; null: no limit")] = None
    min_samples_leaf: Annotated[int, Field(ge=1, le=100_000, description="Fewest rows of a leaf")] = 1
    max_features: Annotated[
        Annotated[float, Field(gt=0, le=1)] | Literal["sqrt", "log2"],
        Field(description="Features that a split chooses among: a share, or the square root or logarithm of all"),
    ] = "sqrt"


def random_forest(own: ForestHyperparameters, dataset: Dataset, seed: int) -> "BaseEstimator":
    """Return a forest of classifiers or of regressors."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    forest = RandomForestClassifier if dataset.task is Task.CLASSIFICATION else RandomForestRegressor
    return forest(**own.model_dump(), random_state=seed, n_jobs=-1)


RANDOM_FOREST = EstimatorType(
    "random_forest",
    "A random forest: robust without tuning, and large.",
    ForestHyperparameters,
    random_forest,
    trees=True,
    space={
        "n_estimators": [100, 200, 400],
        "max_depth": [8, 16, 32],
        "min_samples_leaf": Range(low=1, high=50, log=True),
        "max_features": ["sqrt", 0.3, 0.6],
    },
    grid={"max_depth": [8, 16, 32], "min_samples_leaf": [1, 5, 20]},
    # On MNIST a tree is 0.8 MB of ONNX and takes 20 MB to convert: more would be too large for the gate and the job.
    preset={"n_estimators": 96},
)
