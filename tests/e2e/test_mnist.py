"""Real MNIST through the same path as everything else."""

import os

import pytest

from tests.support.steps import ENDED, promote, wait_until_served

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("MNIST_DIR"), reason="MNIST_DIR is not set: no MNIST files to train on"),
]


def trained(api, model_type):
    asked = {"dataset": "mnist", "model_type": model_type, "preset": "best", "model_name": "mnist"}
    started = api.post("/train", {**asked, "experiment_name": "mnist"})["job_id"]
    job = api.wait(f"/train/status/{started}", until=lambda answer: answer["status"] in ENDED, seconds=1800)
    assert job["status"] == "completed", job["error"]
    return job


def test_the_perceptron_s_preset_reaches_98_5_percent_on_the_held_out_10_000(api):
    from trainer import data

    job = trained(api, "mlp")
    assert job["metrics"]["accuracy"] >= 0.985
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


@pytest.mark.skipif(not os.environ.get("MLOPS_LONG_TESTS"), reason="MLOPS_LONG_TESTS is not set: takes minutes")
def test_the_convolutional_network_s_preset_reaches_99_4_percent(api):
    job = trained(api, "cnn")
    assert job["metrics"]["accuracy"] >= 0.994
