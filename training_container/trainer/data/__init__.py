"""Data sets: their sources, their formats, and their checks."""

from trainer.data.dataset import Dataset, Feature, Split
from trainer.data.labels import Label
from trainer.data.loading import load

__all__ = ["Dataset", "Feature", "Label", "Split", "load"]
