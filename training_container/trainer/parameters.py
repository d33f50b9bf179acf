"""The parameters of a run (`Parameters`), and the job that it belongs to (`Identity`).

The fields, bounds and defaults are those of the API's TrainRequest.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from mlops.domain.training_request import TrainRequest

ParameterValue = bool | int | float | str
HyperparameterValue = bool | int | float | str | None


class Parameters(TrainRequest):
    """A training request, and the parameters that only the trainer has.

    `hyperparameters` are those that were given. `models.settings` completes them.
    """

    shift: Annotated[
        int,
        Field(
            ge=0,
            le=8,
            description="Augmentation: shift each image by up to this many pixels, differently in each epoch",
        ),
    ] = 0
    patience: Annotated[
        int,
        Field(ge=0, le=100, description="Stop after this many epochs without a better validation loss; 0 never stops"),
    ] = 0


@dataclass(frozen=True)
class Identity:
    """The job of this process; all None for a run that was started by hand."""

    job_id: str | None = None
    sweep_id: str | None = None
    batch_job_id: str | None = None
    attempt: int = 1
    actor: str | None = None
