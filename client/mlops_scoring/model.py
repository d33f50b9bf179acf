"""A table model from its file alone: the file describes itself."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime

from mlops_contract import Contract, ContractError, Task
from mlops_contract.decision import confidences_of, places_of
from mlops_contract.onnx_file import ModelFile
from mlops_contract.rows import Feeds
from mlops_contract.session import SUM_TOLERANCE, ModelRefused, open_session

METADATA_KEY = "mlops"
Floats = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True, eq=False)
class Answers:
    """The answers to `n` rows.

    Attributes:
        outputs: The model's: class probabilities float32 `[n, classes]`, or quantities float32 `[n, 1]`.
        classes: The place of each answer among the classes, int64 `[n]`; None for quantities.
        values: Its probability, or the quantity, float32 `[n]`; not finite where the model has no answer.
    """

    outputs: Floats
    classes: "np.ndarray[Any, np.dtype[np.int64]] | None"
    values: Floats


@dataclass(frozen=True)
class TableModel:
    """A loaded model of a table.

    Attributes:
        labels: What the classes are called; empty for a quantity.
        decision_threshold: As `mlops_contract.decision` has it.
    """

    contract: Contract
    labels: tuple[int | str, ...]
    session: onnxruntime.InferenceSession
    decision_threshold: float | None = None

    @classmethod
    def open(cls, data: bytes, sha256: str) -> "TableModel":
        """Load a model's file with the session that predict opens.

        Raises:
            ModelRefused: The file has another SHA-256, cannot be loaded, or is not of a table model.
        """
        file = ModelFile(data)
        if file.sha256 != sha256:
            raise ModelRefused("the model's file has changed on its way: its SHA-256 is another one; try again")
        session = open_session(file)
        try:
            metadata = json.loads(session.get_modelmeta().custom_metadata_map.get(METADATA_KEY, "{}"))
            if metadata.get("contract") is None:
                raise ModelRefused("the model takes images or vectors; only models of named columns score tables")
            contract = Contract.from_document(metadata["contract"])
        except (ContractError, ValueError, AttributeError) as error:
            raise ModelRefused(f"the model's description cannot be read: {error}") from error
        (classes,) = [entry.shape[1] for entry in session.get_outputs() if entry.name == contract.output]
        labels = () if contract.task is Task.REGRESSION else tuple(metadata.get("labels", range(classes)))
        return cls(contract, labels, session, metadata.get("decision_threshold"))

    def answers(self, feeds: Feeds) -> Answers:
        """Ask the model for encoded rows, at least one."""
        outputs: Floats = self.session.run([self.contract.output], feeds)[0]
        if self.contract.task is Task.REGRESSION:
            return Answers(outputs, None, outputs[:, 0])
        classes = places_of(outputs, self.decision_threshold)
        confidences = confidences_of(outputs, classes)
        # As predict says them: sums of float32 may exceed 1 by rounding.
        rounded = (confidences > 1) & (confidences <= 1 + SUM_TOLERANCE)
        return Answers(outputs, classes, np.where(rounded, np.float32(1), confidences))
