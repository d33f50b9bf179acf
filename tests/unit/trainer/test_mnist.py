"""The accuracy that is promised of the defaults, on real MNIST: the folder's 10,000 digits, never trained on."""

import os

import pytest

from trainer import invocation, models
from trainer.data import load
from trainer.export import export

from .test_fit import Session

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("MNIST_DIR"), reason="MNIST_DIR is not set: no real MNIST here"),
]


def test_the_default_perceptron_reaches_97_5_percent():
    dataset, parameters = load("mnist"), invocation.resolve({"dataset": "mnist"})
    exported = export(models.find(parameters.model_type).train(dataset, parameters, Session()), dataset)
    assert (exported.answers.argmax(1) == dataset.held_out.targets).mean() >= 0.975
