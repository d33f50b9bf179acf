"""Forests of decision trees."""

from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier

from trainer.data import Dataset
from trainer.models.estimators import EstimatorType
from trainer.parameters import Parameters


def random_forest(dataset: Dataset, parameters: Parameters) -> BaseEstimator:
    """`hidden_size` trees."""
    return RandomForestClassifier(n_estimators=parameters.hidden_size, random_state=parameters.seed, n_jobs=-1)


# On MNIST a tree is 0.8 MB of ONNX and takes 20 MB to convert: more would be too large for the gate and for the job.
RANDOM_FOREST = EstimatorType(random_forest, scaled=False, preset={"hidden_size": 96})
