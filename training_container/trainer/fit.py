"""Fitting of torch networks: the whole data set as tensors, one-cycle schedule, resumable to the bit.

An epoch's order, shifts and dropout all come from torch's one generator, and its state goes into each checkpoint; so a
run that was interrupted, even within an epoch, ends with the same weights as one that was not, given the same
machine type and number of threads.
"""

import copy
import io
import math
import time
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy, pad

from trainer.data import Dataset, Split
from trainer.errors import Diverged
from trainer.log import say
from trainer.models import Session
from trainer.optim import Adam, one_cycle
from trainer.parameters import Parameters

VALIDATION_EVERY = 10
EVALUATION_BATCH = 2000
AVERAGED_SHARE = 0.05
"""The weights that are measured and kept are a running average over about this share of all steps."""


def deterministic(seed: int) -> None:
    """Make torch give the same numbers for the same seed."""
    torch.manual_seed(seed)
    # As torch.use_deterministic_algorithms, which imports the compiler too, a second that buys nothing here.
    torch.set_deterministic_debug_mode("error")


def logits(network: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """float32 `[n, classes]` of `inputs` float32 `[n, features]`, in evaluation mode."""
    network.eval()
    with torch.inference_mode():
        return torch.cat([network(batch) for batch in torch.split(inputs, EVALUATION_BATCH)])


def fit(network: nn.Module, dataset: Dataset, parameters: Parameters, session: Session, reduced: bool = False) -> None:
    """Train `network` in place; with `reduced`, in bfloat16 where the processor has it (weights stay float32).

    Early stopping (`patience`) chooses by a tenth of the training rows that are then not trained on; the held-out rows
    choose nothing, they are only watched.

    Raises:
        Diverged: the loss is no longer a number.
        Interrupted: by way of the session, after the state was kept.
    """
    loop = _Loop(network, dataset, parameters, reduced and _has_bfloat16())
    if (state := session.resume()) is not None:
        loop.restore(state)
    session.begins(parameters.epochs)
    while not loop.finished():
        began = time.monotonic()
        if not loop.epoch(session):
            session.interrupted(loop.state())
        metrics = {**loop.measure(), "epoch_seconds": round(time.monotonic() - began, 4)}
        session.epoch_done(loop.epochs_done, metrics, loop.state)
    loop.settle()


class _Loop:
    """The loop's whole state, so that it can be written down and taken up again."""

    def __init__(self, network: nn.Module, dataset: Dataset, parameters: Parameters, reduced: bool) -> None:
        train, watched = dataset.train, dataset.held_out
        if parameters.patience:
            train, watched = _set_aside(train)
        # Convolutions are faster so on processors; other weights are left as they are.
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(network).requires_grad_(False)
        self.parameters = parameters
        self.reduced = reduced
        self.inputs, self.targets = torch.from_numpy(train.inputs), torch.from_numpy(train.targets)
        self.watched = torch.from_numpy(watched.inputs), torch.from_numpy(watched.targets)
        self.image = dataset.image if parameters.shift else None
        self.steps = math.ceil(len(train) / parameters.batch_size)
        self.keep = 1 - 1 / max(1.0, AVERAGED_SHARE * self.steps * parameters.epochs)
        self.optimiser = Adam(network.parameters())
        self.epochs_done = 0
        self.step = 0
        self.begun = False
        self.loss = torch.zeros(())
        self.before_epoch = torch.get_rng_state()
        self.best: dict[str, Any] = {"loss": math.inf, "epoch": 0, "network": None}

    def finished(self) -> bool:
        patience = self.parameters.patience
        stopped = bool(patience) and self.epochs_done - int(self.best["epoch"]) >= patience
        return stopped or self.epochs_done >= self.parameters.epochs

    def epoch(self, session: Session) -> bool:
        """Train for the (rest of the) epoch; False if the session stops it before its end."""
        order = self._order()
        self.network.train()
        # Even batches: a last one of a single row would have no variance for batch normalisation.
        for rows in order.tensor_split(self.steps)[self.step :]:
            if session.stopping():
                return False
            inputs = self.inputs[rows]
            if self.image:
                inputs = _shifted(inputs, self.image, self.parameters.shift)
            with torch.autocast("cpu", torch.bfloat16, enabled=self.reduced):
                answers = self.network(inputs)
            loss = cross_entropy(answers.float(), self.targets[rows])
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimiser.step(*self._pace())
            self._accumulate()
            self.loss += loss.detach() * len(rows)
            self.step += 1
        self.step, self.begun = 0, False
        self.epochs_done += 1
        return True

    def _order(self) -> torch.Tensor:
        """The epoch's order of rows; of one that was begun before, the order it was begun with."""
        if self.begun:
            now = torch.get_rng_state()
            torch.set_rng_state(self.before_epoch)
            order = torch.randperm(len(self.targets))
            torch.set_rng_state(now)
            return order
        self.begun = True
        self.loss = torch.zeros(())
        self.before_epoch = torch.get_rng_state()
        return torch.randperm(len(self.targets))

    @torch.no_grad()
    def _accumulate(self) -> None:
        """An exponential average of the weights (Polyak and Juditsky 1992): it evens out the steps' noise, so that few
        epochs at a high learning rate give what would take many. Early on, where there is little to average, it follows
        at once."""
        done = self.epochs_done * self.steps + self.step
        weight = 1 - min(self.keep, (done + 1) / (done + 10))
        averaged, present = self.average.state_dict(), self.network.state_dict()
        names = [name for name, value in present.items() if value.is_floating_point()]
        torch._foreach_lerp_([averaged[name] for name in names], [present[name] for name in names], weight)
        for name in present.keys() - set(names):
            averaged[name].copy_(present[name])

    def _pace(self, ahead: int = 0) -> tuple[float, float]:
        """Learning rate and beta1 of the present step."""
        at = self.epochs_done * self.steps + self.step + ahead
        return one_cycle(at, self.steps * self.parameters.epochs, self.parameters.learning_rate)

    def measure(self) -> dict[str, float]:
        """The epoch's metrics; keeps the weights if they are the best so far and early stopping is on."""
        train_loss = self.loss.item() / len(self.targets)
        inputs, targets = self.watched
        answers = logits(self.average, inputs)
        loss = cross_entropy(answers, targets).item()
        if not (math.isfinite(train_loss) and math.isfinite(loss)):
            raise Diverged(
                f"the loss is no longer a number in epoch {self.epochs_done}; "
                f"lower --learning-rate (it was {self.parameters.learning_rate:g})"
            )
        if self.parameters.patience and loss < self.best["loss"]:
            weights = {name: value.clone() for name, value in self.average.state_dict().items()}
            self.best = {"loss": loss, "epoch": self.epochs_done, "network": weights}
        accuracy = (answers.argmax(1) == targets).float().mean().item()
        rate, _ = self._pace(-1)
        return {"train_loss": train_loss, "val_loss": loss, "val_accuracy": accuracy, "learning_rate": rate}

    def settle(self) -> None:
        """End with the averaged weights: the best ones if early stopping chose some, else the last."""
        if self.best["network"] is not None:
            say("fit.best", epoch=self.best["epoch"], val_loss=self.best["loss"])
        self.network.load_state_dict(self.best["network"] or self.average.state_dict())

    def state(self) -> bytes:
        """Everything the rest of the run depends on."""
        file = io.BytesIO()
        torch.save(
            {
                "epochs_done": self.epochs_done,
                "step": self.step,
                "begun": self.begun,
                "loss": self.loss,
                "best": self.best,
                "before_epoch": self.before_epoch,
                "random": torch.get_rng_state(),
                "threads": torch.get_num_threads(),
                "reduced": self.reduced,
                "network": self.network.state_dict(),
                "average": self.average.state_dict(),
                "optimiser": self.optimiser.state_dict(),
            },
            file,
        )
        return file.getvalue()

    def restore(self, state: bytes) -> None:
        # weights_only: a checkpoint is data, and may not run code.
        found = torch.load(io.BytesIO(state), weights_only=True)
        self.network.load_state_dict(found["network"])
        self.average.load_state_dict(found["average"])
        self.optimiser.load_state_dict(found["optimiser"])
        self.epochs_done, self.step, self.begun = found["epochs_done"], found["step"], found["begun"]
        self.best, self.before_epoch, self.loss = found["best"], found["before_epoch"], found["loss"]
        # Sums come out differently with another number of threads or another arithmetic.
        torch.set_num_threads(found["threads"])
        self.reduced = found["reduced"]
        torch.set_rng_state(found["random"])


def _has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 itself; emulated it would be slower than float32."""
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # torch has no public name for them
    return any(getattr(torch.cpu, check, bool)() for check in checks)


def _set_aside(split: Split) -> tuple[Split, Split]:
    """A tenth of the rows for validation: every tenth, so the same ones for every seed."""
    aside = np.arange(len(split)) % VALIDATION_EVERY == VALIDATION_EVERY - 1
    return split.take(~aside), split.take(aside)


def _shifted(inputs: torch.Tensor, image: tuple[int, int], most: int) -> torch.Tensor:
    """Each flattened image moved by its own random (dy, dx) within ±`most` pixels, zeros moving in."""
    rows, columns = image
    padded = pad(inputs.view(-1, rows, columns), (most,) * 4)
    windows = padded.unfold(1, rows, 1).unfold(2, columns, 1)
    dy, dx = torch.randint(0, 2 * most + 1, (2, len(inputs)))
    return windows[torch.arange(len(inputs)), dy, dx].reshape(len(inputs), -1)
