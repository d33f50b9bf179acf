"""What a conversion gives."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops_contract import Contract, Task


@dataclass(frozen=True)
class Description:
    """What a model is, and what becomes of it.

    Attributes:
        kind: The class of the model, and of a pipeline its last step, such as "Pipeline of LogisticRegression".
        library: The library that made it: sklearn, xgboost, lightgbm, torch, catboost or keras.
        task: What it predicts; None if the model does not say it.
        labels: Its classes in order; None if the model does not say them, or predicts a quantity.
        steps: For each part, its path and its class, and how it is converted.
    """

    kind: str
    library: str
    task: Task | None
    labels: tuple[int | str, ...] | None
    steps: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Converted:
    """A model that the gate admits and predict serves.

    Attributes:
        content: The ONNX file. Its metadata has the labels, the contract or the shape of the input, rows with their
            answers, and the SHA-256 of `proof_rows`.
        task: What the model predicts.
        labels: One for each class, in the order of the probabilities; empty for a quantity.
        contract: The named columns, as far as they were proved; None for one tensor.
        features: The number of values in the one tensor; None with a contract.
        image: Rows and columns of pixels, if the tensor is an image of values from 0 to 1.
        proof: How the original and the converted model were compared, as a JSON object.
        proof_rows: The file `proof.npz`: rows of the proof, and what the original answered.
        explanation: The file `explain.npz`, whose SHA-256 the metadata has; None if the answers are not explained.
        example: Up to eight rows as callers send them: objects by column, or lists of numbers for one tensor.
        metrics: The original's on the given rows, by the platform's names; empty without a target.
        profile: What is in the given rows, by column, as a JSON object; None for one tensor.
        data_sha256: The SHA-256 of the given rows and their true values.
        notes: Sentences about what was converted, what the contract refuses, and why.
    """

    content: bytes
    task: Task
    labels: tuple[int | str, ...]
    contract: Contract | None
    features: int | None
    image: tuple[int, int] | None
    proof: Mapping[str, Any]
    proof_rows: bytes
    explanation: bytes | None
    example: tuple[Any, ...]
    metrics: Mapping[str, float]
    profile: Mapping[str, Any] | None
    data_sha256: str
    notes: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """The SHA-256 of the file, as the version's tag `sha256` has it."""
        return hashlib.sha256(self.content).hexdigest()
