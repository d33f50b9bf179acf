"""The description in a model's file, which its manifest repeats: inputs, outputs, self-test and distributions.

Imports as little as `mlops.domain.manifest`, for the same reason.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops.domain.manifest_fields import Fields, ManifestError, is_text, is_whole
from mlops_contract import Contract, ContractError, Task

if TYPE_CHECKING:
    from mlops_contract.table_reference import TableReference

SHA256 = r"[0-9a-f]{64}"
HISTOGRAMS = ("confidence", "mean_intensity", "ink_share")
"""The histograms of a reference; each may be missing."""


@dataclass(frozen=True)
class ModelInput:
    """The model's only input: float32 `[n, features]`. For flattened images, `image` is `[rows, columns]`.

    `framing` is the data set whose way to place a digit in its picture the training pictures have: `digits` or `mnist`;
    None if that is not known.
    """

    name: str
    features: int
    image: tuple[int, int] | None = None
    framing: str | None = None


@dataclass(frozen=True)
class ModelOutput:
    """The model's class probabilities: float32 `[n, classes]`, rows summing to 1. A quantity is one "class"."""

    name: str
    classes: int


@dataclass(frozen=True)
class Explanations:
    """The file that explains the model's answers, or why they are not explained.

    The ONNX file states the SHA-256, so it is bound as the model is.
    """

    sha256: str | None = None
    size: int = 0
    reason: str | None = None


def contract_of(document: Any) -> Contract | None:
    """Read a contract; None is none. Raises ManifestError."""
    try:
        return Contract.from_document(document) if document is not None else None
    except ContractError as error:
        raise ManifestError(str(error)) from error


def explanations_of(document: Any) -> Explanations | None:
    """Read what explains a model's answers; None is nothing. Raises ManifestError."""
    if document is None:
        return None
    fields = Fields(document, "explanations")
    if fields.has("reason"):
        return Explanations(reason=fields.text("reason"))
    sha256 = fields.text("sha256")
    if not re.fullmatch(SHA256, sha256):
        raise ManifestError("the field explanations.sha256 is not 64 hexadecimal digits")
    return Explanations(sha256, fields.whole("size", least=1))


def table_reference_of(document: Any, contract: Contract | None) -> "TableReference | None":
    """Read a reference of columns; None is none, or one of a later format. Raises ManifestError."""
    if document is None:
        return None
    if contract is None:
        raise ManifestError("the field column_reference needs a contract")
    from mlops_contract.table_reference import TableReference  # models of images and vectors start without it

    try:
        return TableReference.from_document(document, contract)
    except ContractError as error:
        raise ManifestError(str(error)) from error


def check_description(
    model_input: ModelInput | None,
    output: ModelOutput,
    labels: Sequence[Any],
    self_test: Any,
    reference: Any,
    contract: Contract | None = None,
    column_reference: Any = None,
    decision_threshold: float | None = None,
) -> None:
    """Check the description in a model's file, which its manifest repeats.

    The gate calls this before a version is moved, so that promotion never writes a manifest that cannot be read.

    Raises:
        ManifestError: A part of the description has a wrong type, or does not fit another part.
    """
    for index, label in enumerate(labels):
        if not is_text(label) and not is_whole(label):
            raise ManifestError(f"the field labels[{index}] is neither text nor a whole number of 64 bits")
    if (model_input is None) == (contract is None):
        raise ManifestError("it must have either the field input or the field contract")
    regression = contract is not None and contract.task is Task.REGRESSION
    if regression and (labels or output.classes != 1 or reference is not None):
        raise ManifestError("a regression model has one output, and neither labels nor a reference")
    if not regression and len(labels) != output.classes:
        raise ManifestError(f"the {len(labels)} labels do not fit {output.classes} classes")
    if decision_threshold is not None and not (output.classes == 2 and 0 < decision_threshold < 1):
        raise ManifestError("a decision threshold is a number between 0 and 1, of a model of two classes")
    if contract is not None and output.name != contract.output:
        raise ManifestError(f"the field output.name is not {contract.output!r}, as the contract's task needs")
    image = model_input.image if model_input is not None else None
    if model_input is not None and image is not None:
        if len(image) != 2 or not all(is_whole(side) and side >= 1 for side in image):
            raise ManifestError("the field input.image is not two positive whole numbers")
        if math.prod(image) != model_input.features:
            raise ManifestError(f"the image {image} does not have {model_input.features} pixels")
    if model_input is not None and model_input.framing is not None and not is_text(model_input.framing):
        raise ManifestError("the field input.framing is not text")
    if self_test is not None:
        _check_self_test(Fields(self_test, "self_test"), of_rows=contract is not None)
    if reference is not None:
        _check_reference(Fields(reference, "reference"), len(labels))
    table_reference_of(column_reference, contract)


def _check_self_test(test: Fields, *, of_rows: bool) -> None:
    if of_rows:
        if not test.items("rows") or not all(isinstance(row, dict) for row in test.items("rows")):
            raise ManifestError("the field self_test.rows is not a list of objects, at least one")
        test.text("outputs")
    else:
        test.text("inputs")
        test.text("probabilities")
    if test.has("tolerance"):
        test.number("tolerance")


def _check_reference(reference: Fields, classes: int) -> None:
    reference.whole("count", least=0)
    if len(reference.object("predictions").numbers("counts")) != classes:
        raise ManifestError(f"the field reference.predictions.counts does not have {classes} numbers")
    for name in HISTOGRAMS:
        if reference.has(name):
            reference.object(name).numbers("counts")
    if reference.has("block_means"):
        means = reference.object("block_means")
        if len(means.numbers("sums")) != len(means.numbers("squares")):
            raise ManifestError("the field reference.block_means must have as many sums as squares")
