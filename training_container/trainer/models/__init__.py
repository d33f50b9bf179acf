"""The model types: what one is (`protocols`), which there are (`registry`), and ours, a module for each family."""

from trainer.models.protocols import ModelType, Session, Trained
from trainer.models.registry import BUILT_IN, find, names

__all__ = ["BUILT_IN", "ModelType", "Session", "Trained", "find", "names"]
