"""The model types: what one is (`protocols`), which there are (`registry`), and ours, a module for each family."""

from trainer.models.catalogue import catalogue
from trainer.models.protocols import DataKind, ModelType, OwnHyperparameters, Session, Trained
from trainer.models.registry import BUILT_IN, find, names
from trainer.models.settings import resolved, run_params, settings, takes_flat_fields

__all__ = [
    "BUILT_IN",
    "DataKind",
    "ModelType",
    "OwnHyperparameters",
    "Session",
    "Trained",
    "catalogue",
    "find",
    "names",
    "resolved",
    "run_params",
    "settings",
    "takes_flat_fields",
]
