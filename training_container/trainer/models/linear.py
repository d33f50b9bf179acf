"""Linear models."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from mlops.domain.training_request import Range
from mlops_contract import Task
from trainer.data import Dataset
from trainer.models.estimators import EstimatorType
from trainer.models.protocols import OwnHyperparameters

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

_CLASSIFICATION = {"tasks": ["classification"]}
_REGRESSION = {"tasks": ["regression"]}


class LinearHyperparameters(OwnHyperparameters):
    penalty: Annotated[
        Literal["l2", "elasticnet"], Field(description="l2, or elasticnet: a mixture that also drops features")
    ] = "l2"
    C: Annotated[
        float, Field(gt=0, le=1e6, description="Inverse of the regularisation", json_schema_extra=_CLASSIFICATION)
    ] = 1.0
    alpha: Annotated[
        float,
        Field(
            gt=0,
            le=1e6,
            description="Strength of the regularisation; targets are standardised",
            json_schema_extra=_REGRESSION,
        ),
    ] = 1.0
    l1_ratio: Annotated[
        float, Field(ge=0, le=1, description="Share of the l1 penalty; used with penalty elasticnet only")
    ] = 0.5
    max_iter: Annotated[int, Field(ge=1, le=100_000, description="Most iterations of the solver")] = 1000


def linear(own: LinearHyperparameters, dataset: Dataset, seed: int) -> "BaseEstimator":
    """Return a logistic regression, or a ridge regression or elastic net for quantities."""
    from sklearn.linear_model import ElasticNet, LogisticRegression, Ridge

    mixed = own.penalty == "elasticnet"
    if dataset.task is Task.CLASSIFICATION:
        solver = {"solver": "saga", "l1_ratio": own.l1_ratio} if mixed else {}
        return LogisticRegression(C=own.C, max_iter=own.max_iter, random_state=seed, **solver)
    if mixed:
        return ElasticNet(alpha=own.alpha, l1_ratio=own.l1_ratio, max_iter=own.max_iter, random_state=seed)
    # Without an iteration: the solution is exact.
    return Ridge(alpha=own.alpha, solver="cholesky")


LINEAR = EstimatorType(
    "linear",
    "Logistic regression for classes; ridge regression or elastic net for quantities.",
    LinearHyperparameters,
    linear,
    # C is for classes and alpha for quantities. A sweep whose task is known has one of them.
    space={"C": Range(low=0.001, high=100, log=True), "alpha": Range(low=0.01, high=1000, log=True)},
    grid={"C": [0.01, 0.1, 1.0, 10.0], "alpha": [0.1, 1.0, 10.0, 100.0]},
    preset={"C": 0.1},
)
