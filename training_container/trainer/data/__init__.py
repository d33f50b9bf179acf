"""Data sets: where they come from, how their files are read, and what they must be like."""

from trainer.data.dataset import Dataset, Split
from trainer.data.labels import Label
from trainer.data.loading import load

__all__ = ["Dataset", "Label", "Split", "load"]
