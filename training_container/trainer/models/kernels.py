"""Kernel machines."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from mlops.domain.training_request import Range
from mlops_contract import Task
from trainer.data import Dataset
from trainer.models.estimators import EstimatorType
from trainer.models.protocols import OwnHyperparameters

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

CACHE_MB = 500


class KernelHyperparameters(OwnHyperparameters):
    C: Annotated[float, Field(gt=0, le=1e6, description="Inverse of the regularisation")] = 1.0
    gamma: Annotated[
        Annotated[float, Field(gt=0, le=1000)] | Literal["scale", "auto"],
        Field(description="Coefficient of the radial kernel, or scikit-learn's rule for it"),
    ] = "scale"
    epsilon: Annotated[
        float,
        Field(
            ge=0,
            le=10,
            description="Errors below this count as none, in standard deviations of the target",
            json_schema_extra={"tasks": ["regression"]},
        ),
    ] = 0.1


def support_vector_machine(own: KernelHyperparameters, dataset: Dataset, seed: int) -> "BaseEstimator":
    """Return a machine with a radial kernel; probabilities are by Platt's sigmoid over three folds.

    Its time grows with the square of the rows.
    """
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.svm import SVC, SVR

    if dataset.task is Task.REGRESSION:
        return SVR(C=own.C, gamma=own.gamma, epsilon=own.epsilon, cache_size=CACHE_MB)
    machine = SVC(C=own.C, gamma=own.gamma, random_state=seed, cache_size=CACHE_MB)
    return CalibratedClassifierCV(machine, ensemble=False, cv=3)


SVM = EstimatorType(
    "svm",
    "A support vector machine with a radial kernel: for at most some ten thousand rows.",
    KernelHyperparameters,
    support_vector_machine,
    space={"C": Range(low=0.1, high=1000, log=True), "gamma": Range(low=1e-4, high=1, log=True)},
    grid={"C": [0.1, 1.0, 10.0, 100.0]},
    preset={"C": 5.0},
)
