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
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mlops.domain.manifest_fields import Fields, is_not_finite
from mlops.domain.manifest_fields import ManifestError as ManifestError
from mlops.domain.model_description import (
    SHA256,
    Explanations,
    ModelInput,
    ModelOutput,
    check_description,
    contract_of,
    explanations_of,
    table_reference_of,
)
from mlops_contract import Contract, Task

if TYPE_CHECKING:
    from mlops_contract.table_reference import TableReference

SCHEMA = 1
READER = 3
"""The version of this reader. It increases with each change that earlier readers must not ignore."""
READER_OF_CONTRACTS = 2
"""The first reader that serves models of named columns."""
READER_OF_THRESHOLDS = 3
"""The first reader that answers by a decision threshold."""
SERVING_PREFIX = "serving/"
MAX_MANIFEST_BYTES = 4 << 20
"""Size limit of the JSON, in readers and in the gate."""
ERROR_DIGITS = 6
"""How many decimal digits of the range of a quantity its errors are counted in."""
SMALLEST_UNIT, LARGEST_UNIT = -30, 30


def manifest_key(model_name: str, stage: str) -> str:
    """Return the S3 key of the manifest for `stage` (`Production` or `Staging`)."""
    return f"{SERVING_PREFIX}{model_name}/{stage}.json"


def model_key(model_name: str, sha256: str) -> str:
    """Return the S3 key of the ONNX file. The key has the file's hash, so its content never changes."""
    return f"{SERVING_PREFIX}{model_name}/{sha256}.onnx"


def explain_key(model_name: str, sha256: str) -> str:
    """Return the S3 key of the file that explains the answers of the ONNX file with this hash."""
    return f"{SERVING_PREFIX}{model_name}/{sha256}.explain.npz"


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
    decision_threshold: float | None = None
    """Of two classes: the probability of the second one from which on it is the answer (`mlops_contract.decision`)."""

    @property
    def predicts_quantity(self) -> bool:
        """Whether it is a regression model, which has no labels, probabilities and confidence."""
        return self.contract is not None and self.contract.task is Task.REGRESSION

    @property
    def error_unit(self) -> int:
        """The power of ten in which errors of a quantity are counted, so that their sums are whole numbers.

        It is a millionth of the range of the answers to the held-out rows, rounded to a power of ten.
        """
        prediction = (self.column_reference or {}).get("prediction") or {}
        low, high = prediction.get("low"), prediction.get("high")
        if low is None or high is None or not high > low:
            return -ERROR_DIGITS
        return max(SMALLEST_UNIT, min(LARGEST_UNIT, math.floor(math.log10(high - low)) - ERROR_DIGITS))

    def to_json(self) -> bytes:
        """Return the manifest as JSON."""
        document = {"schema": SCHEMA, **asdict(replace(self, contract=None))}
        del document["contract"]
        if self.contract is not None:
            document |= {"min_reader": READER_OF_CONTRACTS, "contract": self.contract.to_document()}
        if self.decision_threshold is not None:
            document["min_reader"] = READER_OF_THRESHOLDS
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
            decision_threshold=fields.number("decision_threshold") if fields.has("decision_threshold") else None,
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
            manifest.decision_threshold,
        )
        return manifest

    def table_reference(self) -> "TableReference | None":
        """Return what production's rows are compared with, column by column, if this version can read it."""
        return table_reference_of(self.column_reference, self.contract)


def with_cache_epoch(data: bytes, epoch: int, epoch_id: str) -> bytes:
    """Return a manifest's JSON with another cache epoch. Unknown fields are not changed."""
    return _json({**_document(data), "cache_epoch": epoch, "cache_epoch_id": epoch_id})


def with_examination(data: bytes, revision: int, refusal: str | None, at: str) -> bytes:
    """Return a manifest's JSON with the result of another examination, written at `at`; the rest stays as it is."""
    return _json({**_document(data), "gate_revision": revision, "refusal": refusal, "written_at": at})


def _input(source: Fields) -> ModelInput:
    image = tuple(source.items("image")) if source.has("image") else None
    framing = source.text("framing") if source.has("framing") else None
    return ModelInput(source.text("name"), source.whole("features", least=1), image, framing)


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
