"""Data sets by name or address: where they are stored, and which of them are images. `mlops_data` reads tables."""

from mlops_data.dataset import Dataset, Feature, Split
from mlops_data.labels import Label
from mlops_data.options import DataOptions, GroupSplit, TimeSplit
from mlops_data.profile import DataProfile
from trainer.data.loading import load

__all__ = [
    "DataOptions",
    "DataProfile",
    "Dataset",
    "Feature",
    "GroupSplit",
    "Label",
    "Split",
    "TimeSplit",
    "load",
]
