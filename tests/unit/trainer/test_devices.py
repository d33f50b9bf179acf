"""Where torch computes: said when it is not where the job is paid for; on a GPU as reproducible as on the processor."""

import pytest
import torch

from tests.unit.trainer.test_fit import Session, sha256, train
from trainer.data import Dataset
from trainer.errors import Interrupted, TrainingError
from trainer.models import devices, fit
from trainer.provenance import provenance

no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU on this machine")


@no_gpu
def test_without_a_gpu_it_trains_on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(devices.REQUIRED, "")
    assert devices.chosen() == torch.device("cpu")
    assert "mlops.gpu" not in provenance()


@no_gpu
def test_a_job_that_is_paid_for_with_a_gpu_does_not_train_without(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(devices.REQUIRED, "1")
    with pytest.raises(TrainingError, match=r"torch sees none: .*GpuTrainingImage"):
        train(digits, epochs=1)


def test_a_gpu_with_too_little_memory_is_said_with_the_remedy(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(fit, "_tensors", full)
    with pytest.raises(TrainingError, match=rf"too small for {len(digits.train)} rows .*batch_size"):
        train(digits, epochs=1)


@needs_gpu
@pytest.mark.parametrize("model_type", ["mlp", "cnn"])
def test_a_gpu_gives_the_same_file_again_and_after_an_interruption(digits: Dataset, model_type: str) -> None:
    asked = {"model_type": model_type, "epochs": 2, "shift": 2, "dropout": 0.3}
    whole = sha256(train(digits, **asked), digits)
    assert sha256(train(digits, **asked), digits) == whole
    stopped = Session(stop_at=30)
    with pytest.raises(Interrupted):
        train(digits, stopped, **asked)
    assert sha256(train(digits, Session(stopped.state), **asked), digits) == whole
    assert provenance()["mlops.gpu"] == torch.cuda.get_device_name()


@needs_gpu
@pytest.mark.parametrize("model_type", ["mlp", "cnn"])
def test_a_gpu_learns_as_the_processor_does(digits: Dataset, model_type: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def accuracy() -> float:
        trained = train(digits, model_type=model_type, epochs=10)
        return float((trained.predict(digits.held_out.inputs).argmax(1) == digits.held_out.targets).mean())

    on_gpu = accuracy()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert abs(on_gpu - accuracy()) < 0.02
