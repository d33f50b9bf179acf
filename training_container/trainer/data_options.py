"""What a training request says about its data, as the reader of tables takes it."""

from mlops.domain.training_data import HeldOutRows
from mlops.domain.training_request import TrainRequest
from mlops_contract import Task
from mlops_data.options import HELD_OUT_SHARE, held_out_rows
from trainer.data import DataOptions, GroupSplit, TimeSplit


def data_options(request: TrainRequest) -> DataOptions:
    """Return the options of a request. Raises DataError if they are not valid."""
    return DataOptions(
        target=request.target,
        task=Task(request.task) if request.task else None,
        columns=request.columns,
        held_out=_held_out(request.held_out),
        weight=request.weight,
    )


def _held_out(value: float | HeldOutRows | None) -> float | TimeSplit | GroupSplit:
    if isinstance(value, HeldOutRows):
        return held_out_rows(value.column, value.start)
    return HELD_OUT_SHARE if value is None else value
