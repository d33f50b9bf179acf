"""Fitting: the same for the same seed, and resumable to the bit from any moment."""

from collections.abc import Callable, Mapping
from typing import NoReturn

import numpy as np
import pytest
import torch

from trainer import models
from trainer.data import Dataset, Split
from trainer.errors import Diverged, Interrupted
from trainer.export import export
from trainer.parameters import Parameters


class Session:
    """A session that keeps what it is given, and stops when told to: after a number of questions, or of epochs."""

    def __init__(self, state: bytes | None = None, stop_at: int | None = None, kill_after: int | None = None) -> None:
        self.state, self.stop_at, self.kill_after = state, stop_at, kill_after
        self.asked, self.epochs, self.metrics = 0, 0, []

    def resume(self) -> bytes | None:
        return self.state

    def should_stop(self) -> bool:
        self.asked += 1
        return self.asked == self.stop_at

    def on_train_begin(self, epochs: int) -> None:
        self.epochs = epochs

    def on_epoch_end(self, epoch: int, metrics: Mapping[str, float], state: Callable[[], bytes] | None) -> None:
        assert epoch == len(self.metrics) + 1 or self.state
        self.metrics.append(dict(metrics))
        self.state = state() if state else None
        if epoch == self.kill_after:
            raise KeyboardInterrupt

    def interrupt(self, state: bytes | None) -> NoReturn:
        self.state = state
        raise Interrupted


def train(dataset: Dataset, session: Session | None = None, **parameters: object) -> models.Trained:
    asked = Parameters(**{"epochs": 3, **parameters})
    return models.find(asked.model_type).train(dataset, asked, session or Session())


def sha256(trained: models.Trained, dataset: Dataset) -> str:
    return export(trained, dataset).sha256


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7])
def test_the_schedule_of_a_very_short_run_is_finite(digits: Dataset, steps: int):
    few = Dataset(digits.name, digits.train.take(np.arange(8 * steps)), digits.held_out, digits.labels, (28, 28), "")
    session = Session()
    train(few, session, epochs=1, batch_size=8, learning_rate=0.1)
    train(few, session := Session(), epochs=steps, batch_size=512, learning_rate=0.1)
    rates = [metrics["learning_rate"] for metrics in session.metrics]
    assert len(rates) == steps
    assert all(0 < rate <= 0.1 + 1e-12 for rate in rates)


def test_it_learns(digits: Dataset):
    session = Session()
    trained = train(digits, session, epochs=10)
    accuracy = (trained.predict(digits.held_out.inputs).argmax(1) == digits.held_out.targets).mean()
    assert accuracy > 0.96
    assert session.epochs == 10
    assert session.metrics[-1]["train_loss"] < session.metrics[0]["train_loss"]
    assert set(session.metrics[0]) == {"train_loss", "val_loss", "val_accuracy", "learning_rate", "epoch_seconds"}


@pytest.mark.parametrize("model_type", ["mlp", "cnn"])
def test_the_same_seed_gives_the_same_file_and_another_seed_another(digits: Dataset, model_type: str):
    few = Dataset(digits.name, digits.train.take(np.arange(200)), digits.held_out, digits.labels, (28, 28), "")
    asked = {"model_type": model_type, "epochs": 2, "shift": 2, "hidden_size": 32}
    first = sha256(train(few, **asked), few)
    assert sha256(train(few, **asked), few) == first
    assert sha256(train(few, **asked, seed=43), few) != first


@pytest.mark.parametrize("patience", [0, 2])
@pytest.mark.parametrize("stop_at", [5, 23, 24, 30, 60])
def test_a_run_stopped_at_any_batch_ends_as_one_that_was_not(digits: Dataset, stop_at: int, patience: int):
    asked = {"shift": 1, "dropout": 0.3, "patience": patience}
    whole = sha256(train(digits, **asked), digits)
    stopped = Session(stop_at=stop_at)
    with pytest.raises(Interrupted):
        train(digits, stopped, **asked)
    assert sha256(train(digits, Session(stopped.state), **asked), digits) == whole


def test_a_killed_run_goes_on_from_its_last_epoch(digits: Dataset):
    whole = sha256(train(digits), digits)
    killed = Session(kill_after=2)
    with pytest.raises(KeyboardInterrupt):
        train(digits, killed)
    torch.manual_seed(999)
    again = Session(killed.state)
    assert sha256(train(digits, again), digits) == whole
    assert len(again.metrics) == 1


def test_a_state_after_the_last_epoch_needs_no_more_training(digits: Dataset):
    done = Session()
    whole = sha256(train(digits, done), digits)
    again = Session(done.state)
    assert sha256(train(digits, again), digits) == whole
    assert again.metrics == []


def test_a_state_keeps_the_number_of_threads(digits: Dataset):
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        session = Session(kill_after=1)
        with pytest.raises(KeyboardInterrupt):
            train(digits, session)
        torch.set_num_threads(2)
        train(digits, Session(session.state))
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(threads)


def test_early_stopping_chooses_by_rows_that_are_not_held_out(digits: Dataset):
    few = Dataset(digits.name, digits.train.take(np.arange(150)), digits.held_out, digits.labels, (28, 28), "")
    session = Session()
    train(few, session, epochs=100, patience=3, learning_rate=0.01, dropout=0.0)
    losses = [metrics["val_loss"] for metrics in session.metrics]
    assert len(losses) < 100
    assert int(np.argmin(losses)) == len(losses) - 1 - 3


def test_a_loss_that_is_no_number_ends_the_run_with_advice(digits: Dataset):
    wild = Split(digits.held_out.inputs * np.float32(3e38), digits.held_out.targets)
    spoilt = Dataset("wild", digits.train, wild, digits.labels, (28, 28), "")
    with pytest.raises(Diverged, match=r"epoch 1; lower --learning-rate \(it was 1\)"):
        train(spoilt, learning_rate=1.0)


def test_shifts_move_by_whole_pixels_within_the_bound():
    from trainer.models.fit import _shifted

    torch.manual_seed(0)
    image = torch.zeros(64, 1, 9, 9)
    image[:, 0, 4, 4] = 1
    moved = _shifted(image.reshape(64, 81), (9, 9), 2).reshape(64, 9, 9)
    places = moved.nonzero()[:, 1:]
    assert len(places) == 64
    assert (places - 4).abs().max() == 2
    assert len({tuple(place) for place in places.tolist()}) > 15
