"""The serving manifest: all that predict knows of a model. Promotion writes it, predict reads it.

Standard library only, because predict imports it on its cold start.
"""

import json
import re
from dataclasses import asdict, dataclass, field
from typing import Any

SCHEMA = 1
SERVING_PREFIX = "serving/"


class ManifestError(ValueError):
    """The manifest is not one this code can serve from; the message says which field and why."""


def manifest_key(model_name: str, stage: str) -> str:
    """The S3 key of the manifest for `stage` (`Production` or `Staging`)."""
    return f"{SERVING_PREFIX}{model_name}/{stage}.json"


def model_key(model_name: str, sha256: str) -> str:
    """The S3 key of the ONNX file; its name is its hash, so a key's content never changes."""
    return f"{SERVING_PREFIX}{model_name}/{sha256}.onnx"


@dataclass(frozen=True)
class ModelInput:
    """The model's only input: float32 `[n, features]`; `image` is `[rows, columns]` for flattened images."""

    name: str
    features: int
    image: tuple[int, int] | None = None


@dataclass(frozen=True)
class ModelOutput:
    """The model's class probabilities: float32 `[n, classes]`, rows summing to 1."""

    name: str
    classes: int


@dataclass(frozen=True)
class Manifest:
    model_name: str
    model_version: int
    stage: str
    run_id: str
    key: str
    sha256: str
    size: int
    input: ModelInput
    output: ModelOutput
    labels: tuple[int | str, ...]
    transition_id: str
    cache_epoch: int
    written_at: str
    self_test: dict[str, Any] | None = None
    reference: dict[str, Any] | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    cache_epoch_id: str | None = None  # of the message that raised the epoch last, so that its redelivery does not

    def to_json(self) -> bytes:
        return json.dumps({"schema": SCHEMA, **asdict(self)}, separators=(",", ":"), sort_keys=True).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "Manifest":
        """Parse and check a manifest.

        Raises:
            ManifestError: not JSON, another schema, a missing or ill-typed field, or a key outside `serving/<model>/`.
        """
        try:
            document = json.loads(data)
        except ValueError as error:
            raise ManifestError("the manifest is not JSON") from error
        if not isinstance(document, dict) or document.pop("schema", None) != SCHEMA:
            raise ManifestError(f"the manifest's schema is not {SCHEMA}")
        try:
            source, target = dict(document.pop("input")), dict(document.pop("output"))
            image = source.pop("image", None)
            manifest = cls(
                input=ModelInput(image=tuple(image) if image else None, **source),
                output=ModelOutput(**target),
                labels=tuple(document.pop("labels")),
                **document,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ManifestError(f"the manifest lacks a field or has one too many: {error}") from error
        manifest._check()
        return manifest

    def _check(self) -> None:
        for name in ("model_version", "size", "cache_epoch"):
            if type(getattr(self, name)) is not int:
                raise ManifestError(f"{name} is not a whole number")
        for name in ("model_name", "stage", "run_id", "key", "sha256", "transition_id", "written_at"):
            if not isinstance(getattr(self, name), str):
                raise ManifestError(f"{name} is not a string")
        if not isinstance(self.cache_epoch_id, str | None):
            raise ManifestError("cache_epoch_id is not a string")
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ManifestError("sha256 is not 64 hexadecimal digits")
        if self.key != model_key(self.model_name, self.sha256):
            raise ManifestError(f"key {self.key!r} is not the model's own place under {SERVING_PREFIX}")
        if type(self.input.features) is not int or self.input.features < 1:
            raise ManifestError("input.features is not a positive number")
        if type(self.output.classes) is not int or len(self.labels) != self.output.classes:
            raise ManifestError(f"{len(self.labels)} labels do not fit {self.output.classes} classes")
        if self.input.image and self.input.image[0] * self.input.image[1] != self.input.features:
            raise ManifestError(f"image {self.input.image} does not have {self.input.features} pixels")
