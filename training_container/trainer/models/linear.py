"""Linear models."""

from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

from trainer.data import Dataset
from trainer.models.estimators import EstimatorType
from trainer.parameters import Parameters


def logistic_regression(dataset: Dataset, parameters: Parameters) -> BaseEstimator:
    """No solver has a `learning_rate`; here it is the inverse of the regularisation: C = 1000 x learning_rate."""
    return LogisticRegression(C=1000 * parameters.learning_rate, max_iter=1000, random_state=parameters.seed)


LOGISTIC_REGRESSION = EstimatorType(logistic_regression, scaled=True, preset={"learning_rate": 0.0001})
