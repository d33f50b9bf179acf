"""The parameters of a run (`Parameters`), and the job that it belongs to (`Identity`).

The fields, bounds and defaults are those of the API's TrainRequest.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from mlops.domain.training_request import HYPERPARAMETER_FIELDS, TrainRequest

ParameterValue = bool | int | float | str


class Parameters(TrainRequest):
    """A training request, and the parameters that only the trainer has."""

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

    def run_params(self) -> dict[str, Any]:
        """Return what shapes the model, for the run's params: the API's hyperparameters and the trainer's own."""
        names = (*HYPERPARAMETER_FIELDS, "model_type", "dataset", "preset", "shift", "patience")
        return {**{name: getattr(self, name) for name in names}, **self.hyperparameters}


@dataclass(frozen=True)
class Identity:
    """The job of this process; all None for a run that was started by hand."""

    job_id: str | None = None
    sweep_id: str | None = None
    batch_job_id: str | None = None
    attempt: int = 1
