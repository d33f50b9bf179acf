"""The accuracies that are promised, on real MNIST: the folder's 10,000 digits, never trained on."""

import os

import pytest
import torch

from trainer import invocation, models
from trainer.data import load
from trainer.export import export

from .test_fit import Session

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("MNIST_DIR"), reason="MNIST_DIR is not set: no real MNIST here"),
]


def accuracy(**asked: str) -> float:
    dataset = load("mnist")
    resolved = invocation.resolve({"dataset": "mnist", **asked})
    exported = export(models.find(resolved.model_type).train(dataset, resolved, Session()), dataset)
    return float((exported.answers.argmax(1) == dataset.held_out.targets).mean())


def test_the_default_perceptron():
    assert accuracy() >= 0.975


def test_the_perceptron_s_preset():
    assert accuracy(preset="best") >= 0.982


@pytest.mark.skipif(not os.environ.get("MLOPS_LONG_TESTS"), reason="MLOPS_LONG_TESTS is not set: takes minutes")
def test_the_convolutional_network_s_preset():
    torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    try:
        assert accuracy(model_type="cnn", preset="best") >= 0.994
    finally:
        torch.set_num_threads(1)
