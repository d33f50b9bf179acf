"""Real MNIST through the same path as everything else."""

import os

import pytest

from tests.support.steps import promote, train, wait_until_served


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("MNIST_DIR"), reason="MNIST_DIR is not set: no MNIST files to train on")
def test_the_default_perceptron_reaches_97_5_percent_on_the_held_out_10_000(api):
    from trainer import data

    job = train(api, dataset="mnist", model_name="mnist", experiment_name="mnist")
    assert job["status"] == "completed", job["error"]
    assert job["metrics"]["accuracy"] >= 0.975
    assert promote(api, job["model_version"], model="mnist")["status"] == "succeeded"
    mnist = data.load("mnist")
    assert len(mnist.held_out) == 10_000
    images = [[round(float(pixel), 4) for pixel in row] for row in mnist.held_out.inputs[:500]]
    wait_until_served(api, "mnist", job["model_version"], images[0])
    right = 0
    for start in range(0, 500, 100):
        answer = api.post("/predict/batch", {"images": images[start : start + 100], "model_name": "mnist"})
        labels = [mnist.labels[target] for target in mnist.held_out.targets[start : start + 100]]
        right += sum(found == label for found, label in zip(answer["predictions"], labels, strict=True))
    assert right / 500 >= 0.95
