"""Fitting of torch networks: the whole data set as tensors, one-cycle schedule, resumable to the bit.

An epoch's order, shifts and dropout all come from torch's one generator, and its state goes into each checkpoint. So a
run that was interrupted, even within an epoch, ends with the same weights as one that was not, given the same
machine type and number of threads. On a GPU dropout has a generator of its own, which is kept too.
"""

import copy
import io
import math
import time
from dataclasses import asdict, dataclass
from typing import Protocol

import torch
from torch import nn
from torch.nn.functional import pad
from torch.optim.lr_scheduler import OneCycleLR

from trainer.data import Split
from trainer.errors import Diverged, TrainingError
from trainer.log import log_event
from trainer.models import devices
from trainer.models.adam import Adam
from trainer.models.losses import Loss, weighted
from trainer.models.protocols import Session

EVALUATION_BATCH = 2000
AVERAGED_SHARE = 0.05
"""The weights that are measured and kept are a running average over about this share of all steps."""

Weights = dict[str, torch.Tensor]


def answers(network: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """Return what the network gives for `inputs` float32 `[n, features]`, in evaluation mode."""
    network.eval()
    with torch.inference_mode():
        return torch.cat([network(batch) for batch in torch.split(inputs, EVALUATION_BATCH)])


class Schedule(Protocol):
    """The hyperparameters of the loop, as in `networks.NetworkHyperparameters`."""

    @property
    def learning_rate(self) -> float: ...
    @property
    def epochs(self) -> int: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def shift(self) -> int: ...
    @property
    def patience(self) -> int: ...


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a training.

    Attributes:
        train: Are trained on.
        validation: Choose the epoch by early stopping. They are needed for `patience` only.
        held_out: Are measured on after each epoch if there are none for validation. They choose nothing.
        image: (rows, columns) if the inputs are flattened images.
    """

    train: Split
    validation: Split | None
    held_out: Split
    image: tuple[int, int] | None


def fit(
    network: nn.Module, rows: Rows, loss: Loss, own: Schedule, session: Session, device: torch.device, reduced: bool
) -> None:
    """Train a network in place. Afterwards it is on the processor, where it is exported and measured.

    Args:
        network: Takes float32 `[n, features]` and gives what the loss compares.
        rows: Of the data set.
        loss: What it is fitted to.
        own: The hyperparameters.
        session: The run around the training.
        device: Where to compute.
        reduced: Compute in bfloat16 where the device has it; the weights stay float32.

    Raises:
        Diverged: the loss is no longer a number.
        TrainingError: the GPU has too little memory for the rows and the network.
        Interrupted: raised by the session, after the state was kept.
    """
    try:
        _fit(_Loop(network, rows, loss, own, device, reduced and devices.has_bfloat16(device)), own, session)
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            f"the memory of the GPU is too small for {len(rows.train)} rows and this network: give a smaller "
            "batch_size or hidden_size, or train without `gpu` in `resources`"
        ) from error


def _fit(loop: "_Loop", own: Schedule, session: Session) -> None:
    if (state := session.resume()) is not None:
        loop.restore(state)
    session.on_train_begin(own.epochs)
    while not loop.finished():
        start = time.monotonic()
        if not loop.epoch(session):
            session.interrupt(loop.state())
        metrics = {**loop.measure(), "epoch_seconds": round(time.monotonic() - start, 4)}
        session.on_epoch_end(loop.progress.epochs_done, metrics, loop.state)
    loop.settle()


@dataclass
class _Progress:
    """How far the training is, as plain values that a checkpoint keeps."""

    epochs_done: int = 0
    step: int = 0
    """The next step of the epoch that was begun."""
    begun: bool = False
    learning_rate: float = 0.0
    """That of the last step."""
    best_loss: float = math.inf
    best_epoch: int = 0


class _Loop:
    """The loop's whole state, so that it can be written down and taken up again."""

    def __init__(
        self, network: nn.Module, rows: Rows, loss: Loss, own: Schedule, device: torch.device, reduced: bool
    ) -> None:
        train, measured = rows.train, rows.held_out if rows.validation is None else rows.validation
        # Convolutions are faster so; other weights are left as they are.
        self.network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.device = device
        self.average = copy.deepcopy(network).requires_grad_(False)
        self.goal, self.own = loss, own
        self.reduced = reduced
        self.inputs, self.targets, self.weights = _tensors(train, loss, device)
        self.measured = _tensors(measured, loss, device)
        self.image = rows.image if own.shift else None
        self.steps = math.ceil(len(train) / own.batch_size)
        all_steps = self.steps * own.epochs
        self.keep = 1 - 1 / max(1.0, AVERAGED_SHARE * all_steps)
        self.optimiser = Adam(network.parameters(), lr=own.learning_rate, fused=True)
        self.schedule = OneCycleLR(self.optimiser, max_lr=own.learning_rate, total_steps=all_steps)
        self.progress = _Progress()
        self.loss = torch.zeros((), device=device)
        self.before_epoch = torch.get_rng_state()
        self.best: Weights | None = None

    def finished(self) -> bool:
        """Whether all epochs are done, or early stopping has seen no better loss for `patience` epochs."""
        patience, progress = self.own.patience, self.progress
        stopped = bool(patience) and progress.epochs_done - progress.best_epoch >= patience
        return stopped or progress.epochs_done >= self.own.epochs

    def epoch(self, session: Session) -> bool:
        """Train for the (rest of the) epoch; False if the session stops it before its end."""
        order = self._order()
        self.network.train()
        # Even batches: a last one of a single row would have no variance for batch normalisation.
        for rows in order.tensor_split(self.steps)[self.progress.step :]:
            if session.should_stop():
                return False
            inputs = self.inputs[rows]
            if self.image:
                inputs = _shifted(inputs, self.image, self.own.shift)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.reduced):
                found = self.network(inputs)
            weights = None if self.weights is None else self.weights[rows]
            loss = weighted(self.goal, found.float(), self.targets[rows], weights)
            loss.backward()  # type: ignore[no-untyped-call]
            self.progress.learning_rate = float(self.schedule.get_last_lr()[0])
            self.optimiser.step()
            self.optimiser.zero_grad()
            self.schedule.step()
            self._accumulate()
            self.loss += loss.detach() * (len(rows) if weights is None else weights.sum())
            self.progress.step += 1
        self.progress.step, self.progress.begun = 0, False
        self.progress.epochs_done += 1
        return True

    def _order(self) -> torch.Tensor:
        """The epoch's order of rows; of one that was begun before, the order it was begun with."""
        if self.progress.begun:
            now = torch.get_rng_state()
            torch.set_rng_state(self.before_epoch)
            order = torch.randperm(len(self.targets))
            torch.set_rng_state(now)
            return order
        self.progress.begun = True
        self.loss = torch.zeros((), device=self.device)
        self.before_epoch = torch.get_rng_state()
        return torch.randperm(len(self.targets))

    @torch.no_grad()
    def _accumulate(self) -> None:
        """Keep an exponential average of the weights (Polyak and Juditsky 1992).

        It evens out the steps' noise, so that few epochs at a high learning rate give what would take many. Early on,
        where there is little to average, it follows at once.
        """
        done = self.progress.epochs_done * self.steps + self.progress.step
        weight = 1 - min(self.keep, (done + 1) / (done + 10))
        averaged, present = self.average.state_dict(), self.network.state_dict()
        names = [name for name, value in present.items() if value.is_floating_point()]
        torch._foreach_lerp_([averaged[name] for name in names], [present[name] for name in names], weight)
        for name in present.keys() - set(names):
            averaged[name].copy_(present[name])

    def measure(self) -> dict[str, float]:
        """The epoch's metrics; keeps the weights if they are the best so far and early stopping is on.

        Raises:
            Diverged: a loss is no longer a number.
        """
        train_loss = self.loss.item() / (len(self.targets) if self.weights is None else self.weights.sum().item())
        inputs, targets, weights = self.measured
        found = answers(self.average, inputs)
        loss = weighted(self.goal, found, targets, weights).item()
        if not (math.isfinite(train_loss) and math.isfinite(loss)):
            raise Diverged(
                f"the loss is no longer a number in epoch {self.progress.epochs_done}; "
                f"lower --learning-rate (it was {self.own.learning_rate:g})"
            )
        if self.own.patience and loss < self.progress.best_loss:
            self.best = {name: value.clone() for name, value in self.average.state_dict().items()}
            self.progress.best_loss, self.progress.best_epoch = loss, self.progress.epochs_done
        shown = self.goal.shown(found, targets, weights)
        return {"train_loss": train_loss, "val_loss": loss, **shown, "learning_rate": self.progress.learning_rate}

    def settle(self) -> None:
        """End with the averaged weights: the best ones if early stopping chose some, else the last."""
        if self.best is not None:
            log_event("fit.best", epoch=self.progress.best_epoch, val_loss=self.progress.best_loss)
        self.network.load_state_dict(self.best or self.average.state_dict())
        self.network.to("cpu")

    def state(self) -> bytes:
        """Everything the rest of the run depends on."""
        file = io.BytesIO()
        torch.save(
            {
                "progress": asdict(self.progress),
                "loss": self.loss,
                "best": self.best,
                "before_epoch": self.before_epoch,
                "random": torch.get_rng_state(),
                "device_random": devices.random_state(self.device),
                "threads": torch.get_num_threads(),
                "reduced": self.reduced,
                "network": self.network.state_dict(),
                "average": self.average.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "schedule": self.schedule.state_dict(),
            },
            file,
        )
        return file.getvalue()

    def restore(self, state: bytes) -> None:
        """Take up what `state` wrote down."""
        # weights_only: a checkpoint is data, and may not run code.
        kept = torch.load(io.BytesIO(state), map_location="cpu", weights_only=True)
        self.network.load_state_dict(kept["network"])
        self.average.load_state_dict(kept["average"])
        self.optimiser.load_state_dict(kept["optimiser"])
        self.schedule.load_state_dict(kept["schedule"])
        self.progress = _Progress(**kept["progress"])
        self.best, self.before_epoch, self.loss = kept["best"], kept["before_epoch"], kept["loss"].to(self.device)
        # Sums come out differently with another number of threads or another arithmetic.
        torch.set_num_threads(kept["threads"])
        self.reduced = kept["reduced"]
        torch.set_rng_state(kept["random"])
        devices.restore_random_state(self.device, kept.get("device_random"))


def _tensors(rows: Split, loss: Loss, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Return inputs, targets and weights as tensors, which on the processor share the arrays' memory where they can."""
    weights = None if rows.weights is None else torch.from_numpy(rows.weights).to(device)
    return torch.from_numpy(rows.inputs).to(device), loss.targets(rows).to(device), weights


def _shifted(inputs: torch.Tensor, image: tuple[int, int], most: int) -> torch.Tensor:
    """Each flattened image moved by its own random (dy, dx) within ±`most` pixels, zeros moving in."""
    rows, columns = image
    padded = pad(inputs.view(-1, rows, columns), (most,) * 4)
    windows = padded.unfold(1, rows, 1).unfold(2, columns, 1)
    dy, dx = torch.randint(0, 2 * most + 1, (2, len(inputs)))
    return windows[torch.arange(len(inputs)), dy, dx].reshape(len(inputs), -1)
