"""The torch modules of the networks, and a fitted network."""

import io
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from mlops_contract import Task
from trainer.data import Dataset
from trainer.errors import ParameterError
from trainer.models import expansion, fit
from trainer.models.expansion import Expansion
from trainer.models.losses import Loss, SquaredError

OPSET = 17
ONE_HOT_LEVELS = 8
"""Categories with more levels are embedded."""
WIDEST_EMBEDDING = 32


class Normalise(nn.Module):
    """Inputs to mean 0 and deviation 1: one pair for all pixels of images, one for each feature of other vectors."""

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, dataset: Dataset) -> None:
        super().__init__()
        axis = None if dataset.image else 0
        mean = dataset.train.inputs.mean(axis=axis, dtype=np.float64)
        deviation = dataset.train.inputs.std(axis=axis, dtype=np.float64)
        # A feature that never varies says nothing: it is centred and left at 0.
        self.register_buffer("mean", torch.as_tensor(mean, dtype=torch.float32))
        self.register_buffer(
            "deviation", torch.as_tensor(np.where(deviation > 1e-12, deviation, 1), dtype=torch.float32)
        )

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return (inputs - self.mean) / self.deviation


class Expand(nn.Module):
    """A fitted expansion of the coded matrix: float32 `[n, features]` to float32 `[n, width]`."""

    scaled: torch.Tensor
    mean: torch.Tensor
    deviation: torch.Tensor
    flagged: torch.Tensor
    compared: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor

    def __init__(self, fitted: Expansion) -> None:
        super().__init__()
        self.width = fitted.width
        for name in ("scaled", "mean", "deviation", "flagged", "compared", "low", "high"):
            self.register_buffer(name, torch.from_numpy(getattr(fitted, name)))
        # A part without columns is left out: torch's exporter writes its empty constants with another type.
        self.has_numbers, self.has_flags, self.has_codes = map(len, (fitted.scaled, fitted.flagged, fitted.compared))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        parts = []
        if self.has_numbers:
            numbers = inputs[:, self.scaled]
            parts.append((torch.where(torch.isnan(numbers), self.mean, numbers) - self.mean) / self.deviation)
        if self.has_flags:
            parts.append(torch.isnan(inputs[:, self.flagged]).float())
        if self.has_codes:
            codes = inputs[:, self.compared]
            codes = torch.where(torch.isnan(codes), torch.full_like(codes, expansion.MISSING), codes)
            parts.append(((codes >= self.low) & (codes <= self.high)).float())
        return torch.cat(parts, dim=1)


class Embed(nn.Module):
    """Embeddings of categories, all in one table: float32 `[n, features]` to float32 `[n, width]`.

    Each category has a row of the table for each of its levels, one for any other value and one for a missing value.
    """

    positions: torch.Tensor
    first: torch.Tensor
    others: torch.Tensor

    def __init__(self, positions: list[int], levels: list[int]) -> None:
        super().__init__()
        rows = np.array(levels) + 2
        # The square root of the number of levels, as is usual; one width for all lets one lookup do.
        each = min(WIDEST_EMBEDDING, math.ceil(math.sqrt(max(levels))))
        self.width = each * len(positions)
        self.register_buffer("positions", torch.tensor(positions))
        self.register_buffer("first", torch.from_numpy(np.cumsum(rows) - rows))
        self.register_buffer("others", torch.tensor(levels, dtype=torch.float32))
        self.table = nn.Embedding(int(rows.sum()), each)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        codes = inputs[:, self.positions]
        rows = torch.where(torch.isnan(codes), self.others + 1, codes).long() + self.first
        embedded: torch.Tensor = self.table(rows)
        return embedded.flatten(1)


class ExpandAndEmbed(nn.Module):
    """The coded matrix of a table as the numbers of a network's first layer, `[n, width]`."""

    def __init__(self, dataset: Dataset) -> None:
        super().__init__()
        larger = [
            (at, len(feature.levels))
            for at, feature in enumerate(dataset.feature_columns)
            if feature.levels is not None and len(feature.levels) > ONE_HOT_LEVELS
        ]
        fitted = expansion.fit(
            dataset.train.inputs,
            dataset.feature_columns,
            standardise=True,
            most_levels=ONE_HOT_LEVELS,
            larger="left out",
        )
        self.expand = Expand(fitted) if fitted.width else None
        self.embed = Embed([at for at, _ in larger], [levels for _, levels in larger]) if larger else None
        self.width = (self.expand.width if self.expand else 0) + (self.embed.width if self.embed else 0)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        parts: list[torch.Tensor] = [part(inputs) for part in (self.expand, self.embed) if part is not None]
        return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]


def perceptron(dataset: Dataset, hidden_size: int, dropout: float) -> nn.Module:
    """Return one hidden layer: float32 `[n, features]` to logits `[n, classes]` or standardised targets `[n, 1]`."""
    first: Normalise | ExpandAndEmbed
    if dataset.contract is None:
        first, width = Normalise(dataset), dataset.features
    else:
        first = ExpandAndEmbed(dataset)
        width = first.width
    return nn.Sequential(
        first,
        nn.Linear(width, hidden_size),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden_size, dataset.classes if dataset.task is Task.CLASSIFICATION else 1),
    )


def convolutional(dataset: Dataset, hidden_size: int, dropout: float) -> nn.Module:
    """Return three convolutions: float32 `[n, features]` to logits `[n, classes]`.

    The first has stride 2, as most of the time would go there. `hidden_size` 256 makes 32 and 64 channels, and 87,000
    parameters on MNIST.

    Raises:
        ParameterError: The images are smaller than 8x8 pixels.
    """
    assert dataset.image is not None
    if min(dataset.image) < 8:
        raise ParameterError(
            "--model-type cnn needs images of at least 8x8 pixels; "
            f"those of {dataset.name} have {dataset.image[0]}x{dataset.image[1]}: use mlp"
        )
    narrow = hidden_size // 8
    wide = 2 * narrow

    rows, columns = ((size + 1) // 2 // 2 for size in dataset.image)

    def convolution(before: int, after: int, size: int = 3, stride: int = 1) -> list[nn.Module]:
        layer = nn.Conv2d(before, after, size, stride, padding=size // 2, bias=False)
        return [layer, nn.BatchNorm2d(after), nn.ReLU()]

    return nn.Sequential(
        Normalise(dataset),
        nn.Unflatten(1, (1, *dataset.image)),
        *convolution(1, narrow, size=5, stride=2),
        *convolution(narrow, wide),
        nn.MaxPool2d(2),
        *convolution(wide, wide),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(wide * rows * columns, dataset.classes),
    )


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """A fitted network that takes `features` features; `loss` knows in which form its answers are served."""

    network: nn.Module
    features: int
    loss: Loss

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Return class probabilities float32 `[n, classes]`, or quantities float32 `[n]`."""
        answers: np.ndarray = fit.answers(self.loss.served(self.network), torch.from_numpy(inputs)).numpy()
        return answers[:, 0] if isinstance(self.loss, SquaredError) else answers

    def to_onnx(self) -> bytes:
        """Return the network and what is behind it as ONNX."""
        file = io.BytesIO()
        with warnings.catch_warnings():
            # The exporter that torch wants to retire: a twentieth of the other's time, and the same bytes each time.
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.onnx.export(
                self.loss.served(self.network).eval(),
                (torch.zeros(1, self.features),),
                file,  # type: ignore[arg-type]  # this exporter takes an open file too
                dynamo=False,
                opset_version=OPSET,
                input_names=["inputs"],
                output_names=[self.loss.output],
                dynamic_axes={"inputs": {0: "n"}, self.loss.output: {0: "n"}},
            )
        return file.getvalue()

    def importance(self) -> dict[str, float] | None:
        """Return None: the weights of a network do not say it."""
        return None

    def thresholds(self) -> Mapping[int, np.ndarray]:
        """Return none."""
        return {}
