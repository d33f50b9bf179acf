"""Data sets: their sources, their formats, and their checks."""

from trainer.data.dataset import Dataset, Feature, Split
from trainer.data.labels import Label
from trainer.data.loading import load
from trainer.data.options import DataOptions, GroupSplit, TimeSplit
from trainer.data.profile import DataProfile

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
