"""What the gradient boosting types share: which rounds are reported, when they stop, and how they are exported.

They cannot resume to the bit, as the libraries do not keep the state of their draws: an interrupted run starts again.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

import numpy as np
from pydantic import Field

from mlops_contract import Task
from mlops_contract.explanations import Explanation
from trainer.data import Dataset, Split
from trainer.models.calibration import recalibrated
from trainer.models.expansion import EXPANDED, Expansion
from trainer.models.importance import shares
from trainer.models.measures import mean_and_deviation
from trainer.models.protocols import DataKind, OwnHyperparameters, Session, Space, Trained
from trainer.models.settings import settings
from trainer.models.splits import training_rows
from trainer.parameters import HyperparameterValue, Parameters

if TYPE_CHECKING:
    from mlops_conversion.trees import Trees

MOST_REPORTS = 100


class BoostingHyperparameters(OwnHyperparameters):
    """What all of them have, under the names of both libraries."""

    n_estimators: Annotated[
        int, Field(ge=1, le=10_000, description="Most rounds, each of a tree, or of one for each of several classes")
    ] = 500
    learning_rate: Annotated[float, Field(gt=0, le=1, description="Weight of each tree")] = 0.1
    subsample: Annotated[float, Field(gt=0, le=1, description="Share of the rows that each tree is fitted to")] = 1.0
    colsample_bytree: Annotated[
        float, Field(gt=0, le=1, description="Share of the features that each tree is fitted to")
    ] = 1.0
    reg_alpha: Annotated[float, Field(ge=0, le=1e6, description="L1 penalty of the leaves' values")] = 0.0
    reg_lambda: Annotated[float, Field(ge=0, le=1e6, description="L2 penalty of the leaves' values")] = 0.0
    early_stopping_rounds: Annotated[
        int,
        Field(ge=0, le=1000, description="Stop after this many rounds without a better validation loss; 0: never"),
    ] = 50


Own = TypeVar("Own", bound=BoostingHyperparameters)


class Report:
    """Tells the session of the rounds: at most 100 of them, so that a run of thousands does not flood its record."""

    def __init__(self, session: Session, rounds: int) -> None:
        self._session = session
        self._rounds = rounds
        self._every = math.ceil(rounds / MOST_REPORTS)
        session.on_train_begin(rounds)

    def after(self, round_: int, losses: dict[str, float]) -> None:
        """Report round `round_` (from 1), unless it is left out. Raises Interrupted by way of the session."""
        if self._session.should_stop():
            self._session.interrupt(None)
        if round_ % self._every == 0 or round_ == self._rounds:
            self._session.on_epoch_end(round_, losses, None)


@dataclass(frozen=True)
class BoostedRows:
    """What a booster is fitted to.

    Attributes:
        train: Is trained on.
        validation: Ends the training and is reported on; None if nothing chooses.
        spread: The standard deviation of a regression's targets in training, in which its losses are measured; else 1.
    """

    train: Split
    validation: Split | None
    spread: float


@dataclass(frozen=True)
class BoosterType(Generic[Own]):
    """A model type that `boost` fits, in rounds.

    It stops when the validation loss has not become better for `early_stopping_rounds` rounds.
    """

    name: str
    description: str
    hyperparameters: type[Own]
    boost: "Callable[[Own, Dataset, BoostedRows, Report, int], TrainedBooster]"
    space: Space
    grid: Mapping[str, Sequence[HyperparameterValue]]
    preset: Mapping[str, HyperparameterValue]
    tasks: tuple[Task, ...] = (Task.CLASSIFICATION, Task.REGRESSION)
    data: tuple[DataKind, ...] = (DataKind.TABLE, DataKind.VECTOR, DataKind.IMAGE)

    def train(self, dataset: Dataset, parameters: Parameters, session: Session) -> Trained:
        """Boost, and keep the rounds up to the best one.

        Raises:
            ParameterError: The type does not suit the data set, or a hyperparameter is not valid for it.
            Interrupted: By way of the session.
        """
        own = settings(self, self.hyperparameters, parameters, dataset)
        train, validation = training_rows(dataset, parameters, needed=own.early_stopping_rounds > 0)
        regression = dataset.task is Task.REGRESSION
        spread = mean_and_deviation(train.targets, train.weights)[1] if regression else 1.0
        rows = BoostedRows(train, validation, spread)
        trained = self.boost(own, dataset, rows, Report(session, own.n_estimators), parameters.seed)
        return recalibrated(trained, dataset, parameters, validation)


@dataclass(frozen=True, eq=False)
class TrainedBooster:
    """A fitted booster behind an expansion.

    Attributes:
        booster: LightGBM's or XGBoost's, with the rounds up to the best one.
        answer: Asks it: probabilities `[n, classes]`, those of the second class `[n]` if there are two, or quantities.
        gain: Of each of its inputs, `[width]`.
        expansion: Before it.
        names: Of the features.
        task: What it predicts.
    """

    booster: Any
    answer: Callable[[np.ndarray], Any]
    gain: np.ndarray
    expansion: Expansion
    names: tuple[str, ...]
    task: Task

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Return class probabilities float32 `[n, classes]`, or quantities float32 `[n]`."""
        answers: np.ndarray = self.answer(self.expansion.transform(inputs))
        if self.task is Task.CLASSIFICATION and answers.ndim == 1:
            answers = np.stack([1 - answers, answers], axis=1)
        return answers.astype(np.float32)

    def to_onnx(self) -> bytes:
        """Return the expansion and the trees as ONNX."""
        from trainer.models.graphs import before

        model = self._trees.to_onnx()
        nodes, constants = self.expansion.nodes()
        before(model, self.expansion.features, nodes, constants, EXPANDED)
        content: bytes = model.SerializeToString(deterministic=True)
        return content

    def thresholds(self) -> Mapping[int, np.ndarray]:
        """Return those of all trees."""
        return self.expansion.unexpanded(self._trees.thresholds())

    def explanation(self) -> Explanation:
        """Return the paths of all trees. Raises NoExplanation."""
        return self._trees.explanation().over(self.expansion.sources)

    @cached_property
    def _trees(self) -> "Trees":
        # Its dump takes as long to read as a small model to train, and nothing changes it any more.
        from mlops_conversion.trees import read

        return read(self.booster, self.expansion.width)

    def importance(self) -> dict[str, float] | None:
        """Return each feature's share of the gain of all splits."""
        return shares(self.gain, self.expansion.sources, self.names)
