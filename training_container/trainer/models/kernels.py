"""Kernel machines."""

from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.svm import SVC

from trainer.data import Dataset
from trainer.models.estimators import EstimatorType
from trainer.parameters import Parameters


def support_vector_machine(dataset: Dataset, parameters: Parameters) -> BaseEstimator:
    """Radial kernel; probabilities by Platt's sigmoid over three folds. Its time grows with the square of the rows."""
    machine = SVC(C=1000 * parameters.learning_rate, random_state=parameters.seed, cache_size=500)
    return CalibratedClassifierCV(machine, ensemble=False, cv=3)


SVM = EstimatorType(support_vector_machine, scaled=True, preset={"learning_rate": 0.005})
