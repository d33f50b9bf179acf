"""The serving manifest: all that predict needs to know about a model. Promotion writes it, predict reads it.

In a gradual deployment and after a rollback, one version of the platform reads what another has written. So a reader
ignores unknown fields, at every level. If that would be wrong, `min_reader` in the manifest is the version of the first
reader that may serve it (1 if missing).

Imports only the standard library and what of `mlops_contract` needs no more, because predict imports it at its cold
start.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mlops.domain.manifest_fields import Fields, is_not_finite, is_text, is_whole
from mlops.domain.manifest_fields import ManifestError as ManifestError
from mlops_contract import Contract, ContractError, Task

if TYPE_CHECKING:
    from mlops_contract.table_reference import TableReference

SCHEMA = 1
READER = 2
"""The version of this reader. It increases with each change that earlier readers must not ignore."""
READER_OF_CONTRACTS = 2
"""The first reader that serves models of named columns."""
SERVING_PREFIX = "serving/"
SHA256 = r"[0-9a-f]{64}"
MAX_MANIFEST_BYTES = 4 << 20
"""Size limit of the JSON, in readers and in the gate."""
HISTOGRAMS = ("confidence", "mean_intensity", "ink_share")
"""The histograms of a reference; each may be missing."""


def manifest_key(model_name: str, stage: str) -> str:
    """Return the S3 key of the manifest for `stage` (`Production` or `Staging`)."""
    return f"{SERVING_PREFIX}{model_name}/{stage}.json"


def model_key(model_name: str, sha256: str) -> str:
    """Return the S3 key of the ONNX file. The key has the file's hash, so its content never changes."""
    return f"{SERVING_PREFIX}{model_name}/{sha256}.onnx"


@dataclass(frozen=True)
class ModelInput:
    """The model's only input: float32 `[n, features]`. For flattened images, `image` is `[rows, columns]`."""

    name: str
    features: int
    image: tuple[int, int] | None = None


@dataclass(frozen=True)
class ModelOutput:
    """The model's class probabilities: float32 `[n, classes]`, rows summing to 1. A quantity is one "class"."""

    name: str
    classes: int


def explain_key(model_name: str, sha256: str) -> str:
    """Return the S3 key of the file that explains the answers of the ONNX file with this hash."""
    return f"{SERVING_PREFIX}{model_name}/{sha256}.explain.npz"


@dataclass(frozen=True)
class Explanations:
    """The file that explains the model's answers, or why they are not explained.

    The ONNX file states the SHA-256, so it is bound as the model is.
    """

    sha256: str | None = None
    size: int = 0
    reason: str | None = None


@dataclass(frozen=True)
class Manifest:
    model_name: str
    model_version: int
    stage: str
    run_id: str
    key: str
    sha256: str
    size: int
    input: ModelInput | None
    """None if the model has a contract."""
    output: ModelOutput
    labels: tuple[int | str, ...]
    """Empty for a regression model."""
    transition_id: str
    cache_epoch: int
    written_at: str
    self_test: dict[str, Any] | None = None
    reference: dict[str, Any] | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    cache_epoch_id: str | None = None
    """Of the message that raised the epoch last, so that its redelivery does not raise it again."""
    gate_revision: int = 0
    """Of the gate that has examined the file last; `domain.examination` has the present one."""
    refusal: str | None = None
    """Why that gate would not admit the file, which serves because a former one did."""
    contract: Contract | None = None
    """The columns of a table model; None for a model of images or vectors."""
    explanations: Explanations | None = None
    """None of files from before there were explanations."""
    column_reference: dict[str, Any] | None = None
    """What the held-out rows had in each column (`mlops_contract.table_reference`); None if that is not known."""

    @property
    def predicts_quantity(self) -> bool:
        """Whether it is a regression model, which has no labels, probabilities and confidence."""
        return self.contract is not None and self.contract.task is Task.REGRESSION

    def to_json(self) -> bytes:
        """Return the manifest as JSON."""
        document = {"schema": SCHEMA, **asdict(replace(self, contract=None))}
        del document["contract"]
        if self.contract is not None:
            document |= {"min_reader": READER_OF_CONTRACTS, "contract": self.contract.to_document()}
        return _json(document)

    @classmethod
    def from_json(cls, data: bytes) -> "Manifest":
        """Read and check a manifest from any bytes. Unknown fields are ignored.

        Raises:
            ManifestError: The bytes are not JSON, the schema is another one, the manifest needs a later reader, a field
            is missing or has a wrong type, or the key is outside `serving/<model>/`. There is no other error.
        """
        return cls._read(Fields(_document(data)))

    @classmethod
    def _read(cls, fields: Fields) -> "Manifest":
        # Checked first, so that the error gives this reason, whatever a later version has changed.
        needed = fields.whole("min_reader", least=1) if fields.has("min_reader") else 1
        if needed > READER:
            raise ManifestError(
                f"the field min_reader is {needed}, and this reader is {READER}: deploy the version of the platform "
                "that wrote the manifest, or promote a version of the model again"
            )
        if fields.whole("schema", least=0) != SCHEMA:
            raise ManifestError(f"the field schema is not {SCHEMA}")
        target = fields.object("output")
        manifest = cls(
            model_name=fields.text("model_name"),
            model_version=fields.whole("model_version", least=1),
            stage=fields.text("stage"),
            run_id=fields.text("run_id"),
            key=fields.text("key"),
            sha256=fields.text("sha256"),
            size=fields.whole("size", least=0),
            input=_input(fields.object("input")) if fields.has("input") or not fields.has("contract") else None,
            output=ModelOutput(target.text("name"), target.whole("classes", least=1)),
            labels=tuple(fields.items("labels")),
            transition_id=fields.text("transition_id"),
            cache_epoch=fields.whole("cache_epoch", least=0),
            written_at=fields.text("written_at"),
            self_test=fields.get("self_test"),
            reference=fields.get("reference"),
            metrics=_metrics(fields.object("metrics")) if fields.has("metrics") else {},
            cache_epoch_id=fields.text("cache_epoch_id") if fields.has("cache_epoch_id") else None,
            gate_revision=fields.whole("gate_revision", least=0) if fields.has("gate_revision") else 0,
            refusal=fields.text("refusal") if fields.has("refusal") else None,
            contract=contract_of(fields.get("contract")),
            explanations=explanations_of(fields.get("explanations")),
            column_reference=fields.get("column_reference"),
        )
        if not re.fullmatch(SHA256, manifest.sha256):
            raise ManifestError("the field sha256 is not 64 hexadecimal digits")
        if manifest.key != model_key(manifest.model_name, manifest.sha256):
            raise ManifestError(f"the field key is not below {SERVING_PREFIX} at the model's own place")
        check_description(
            manifest.input,
            manifest.output,
            manifest.labels,
            manifest.self_test,
            manifest.reference,
            manifest.contract,
            manifest.column_reference,
        )
        return manifest

    def table_reference(self) -> "TableReference | None":
        """Return what production's rows are compared with, column by column, if this version can read it."""
        return table_reference_of(self.column_reference, self.contract)


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
    if contract is not None and output.name != contract.output:
        raise ManifestError(f"the field output.name is not {contract.output!r}, as the contract's task needs")
    image = model_input.image if model_input is not None else None
    if model_input is not None and image is not None:
        if len(image) != 2 or not all(is_whole(side) and side >= 1 for side in image):
            raise ManifestError("the field input.image is not two positive whole numbers")
        if math.prod(image) != model_input.features:
            raise ManifestError(f"the image {image} does not have {model_input.features} pixels")
    if self_test is not None:
        _check_self_test(Fields(self_test, "self_test"), of_rows=contract is not None)
    if reference is not None:
        _check_reference(Fields(reference, "reference"), len(labels))
    table_reference_of(column_reference, contract)


def with_cache_epoch(data: bytes, epoch: int, epoch_id: str) -> bytes:
    """Return a manifest's JSON with another cache epoch. Unknown fields are not changed."""
    return _json({**_document(data), "cache_epoch": epoch, "cache_epoch_id": epoch_id})


def with_examination(data: bytes, revision: int, refusal: str | None, at: str) -> bytes:
    """Return a manifest's JSON with the result of another examination, written at `at`; the rest stays as it is."""
    return _json({**_document(data), "gate_revision": revision, "refusal": refusal, "written_at": at})


def _input(source: Fields) -> ModelInput:
    image = tuple(source.items("image")) if source.has("image") else None
    return ModelInput(source.text("name"), source.whole("features", least=1), image)


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


def _metrics(metrics: Fields) -> dict[str, float]:
    """Return the metrics that are finite: JSON has no numbers for the others, which a diverged run has."""
    return {name: metrics.number(name) for name in metrics.names() if not is_not_finite(metrics.get(name))}


def _document(data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:  # also: not Unicode, thousands of digits, nested too deeply
        raise ManifestError("the manifest is not JSON") from error
    if not isinstance(document, dict):
        raise ManifestError("the manifest is not a JSON object")
    return document


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
