"""What a network is fitted to: classes by cross-entropy, or a standardised quantity by squared error."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss

from mlops_contract import Task
from trainer.data import Split
from trainer.models.measures import mean_and_deviation


@dataclass(frozen=True)
class CrossEntropy:
    """Logits `[n, classes]` against indices of classes."""

    output = "probabilities"

    def targets(self, rows: Split) -> torch.Tensor:
        """Return what the network is to answer, int64 `[n]`."""
        return torch.from_numpy(rows.targets)

    def each(self, answers: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the loss of each row, `[n]`."""
        return cross_entropy(answers, targets, reduction="none")

    def mean(self, answers: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the mean loss of the rows."""
        return cross_entropy(answers, targets)

    def shown(self, answers: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None) -> dict[str, float]:
        """Return the figure that shows people how good the answers are."""
        return {"val_accuracy": _mean((answers.argmax(1) == targets).float(), weights).item()}

    def served(self, network: nn.Module) -> nn.Module:
        """Return the network with its answers in the form in which they are served."""
        return nn.Sequential(network, nn.Softmax(dim=1))


@dataclass(frozen=True)
class SquaredError:
    """Standardised targets: `mean` and `deviation` are of the targets in training."""

    mean_target: float
    deviation: float
    output = "prediction"

    def targets(self, rows: Split) -> torch.Tensor:
        """Return what the network is to answer, float32 `[n, 1]`."""
        standardised = (rows.targets - self.mean_target) / self.deviation
        return torch.from_numpy(standardised.astype(np.float32)).unsqueeze(1)

    def each(self, answers: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the loss of each row, `[n]`."""
        return mse_loss(answers, targets, reduction="none").squeeze(1)

    def mean(self, answers: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the mean loss of the rows."""
        return mse_loss(answers, targets)

    def shown(self, answers: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None) -> dict[str, float]:
        """Return the figure that shows people how good the answers are, in the target's units."""
        return {"val_rmse": self.deviation * _mean(self.each(answers, targets), weights).item() ** 0.5}

    def served(self, network: nn.Module) -> nn.Module:
        """Return the network with its answers in the target's units."""
        return nn.Sequential(network, _Units(self.mean_target, self.deviation))


Loss = CrossEntropy | SquaredError


def of(task: Task, train: Split) -> Loss:
    """Return the loss of a task."""
    if task is Task.CLASSIFICATION:
        return CrossEntropy()
    return SquaredError(*mean_and_deviation(train.targets, train.weights))


def weighted(loss: Loss, answers: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    """Return the mean loss of the rows, in which each counts by its weight `[n]`."""
    return loss.mean(answers, targets) if weights is None else _mean(loss.each(answers, targets), weights)


def _mean(values: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    # Rows without any weight have no mean; 0 changes nothing.
    return values.mean() if weights is None else (values * weights).sum() / weights.sum().clamp(min=1e-12)


class _Units(nn.Module):
    """Standardised answers in the target's units."""

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, mean: float, deviation: float) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("deviation", torch.tensor(deviation, dtype=torch.float32))

    def forward(self, answers: torch.Tensor) -> torch.Tensor:
        return answers * self.deviation + self.mean
