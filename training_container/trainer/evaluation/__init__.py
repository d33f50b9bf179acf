"""How good a model is on rows that it was not trained on, for each task. numpy only; matplotlib for the pictures."""

from trainer.evaluation.baseline import baseline
from trainer.evaluation.classification import Classification, evaluate_classification
from trainer.evaluation.protocol import Evaluation, Picture
from trainer.evaluation.regression import Regression, evaluate_regression
from trainer.evaluation.tasks import evaluate

__all__ = [
    "Classification",
    "Evaluation",
    "Picture",
    "Regression",
    "baseline",
    "evaluate",
    "evaluate_classification",
    "evaluate_regression",
]
