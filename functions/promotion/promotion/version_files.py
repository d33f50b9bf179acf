"""Where the ONNX file of a version is: in MLflow, if it was logged as one, or else where a conversion wrote it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from mlops.domain.conversion import Conversion, ConversionStatus, is_convertible
from mlops.domain.errors import DependencyUnavailable, PlatformError
from mlops.registry.rest import Version
from mlops_contract.onnx_file import ModelFile
from promotion.dependencies import Dependencies
from promotion.serving_store import ServingStore


class VersionFile(Protocol):
    """The ONNX file of one version."""

    @property
    def registered(self) -> str | None:
        """The SHA-256 that the file must have, if it is known."""

    def fetch(self, max_bytes: int) -> ModelFile:
        """Read the file.

        Raises:
            Conflict: There is none, it is elsewhere, or it is larger than `max_bytes`.
        """

    def sha256(self) -> str | None:
        """Return the SHA-256 of the file; None if there is none any more."""

    def proof(self, run: Mapping[str, Any]) -> bytes | None:
        """Read the rows of the file's proof, if there are any. `run` is the version's in MLflow."""

    def explanation(self, run: Mapping[str, Any]) -> bytes | None:
        """Read what explains the file's answers, if anything does."""


@dataclass(frozen=True)
class LoggedFile:
    """A file that was logged, below the address `uri`. Those beside it are among the artifacts of the run."""

    serving: ServingStore
    uri: str
    registered: str | None

    def fetch(self, max_bytes: int) -> ModelFile:
        return self.serving.fetch(self.uri, max_bytes)

    def sha256(self) -> str | None:
        try:
            return self.serving.sha256_of(self.uri)
        except DependencyUnavailable:
            raise
        except PlatformError:  # the source does not exist any more
            return None

    def proof(self, run: Mapping[str, Any]) -> bytes | None:
        return self.serving.proof(run.get("artifact_uri", ""))

    def explanation(self, run: Mapping[str, Any]) -> bytes | None:
        return self.serving.explanation(run.get("artifact_uri", ""))


@dataclass(frozen=True)
class ConvertedFile:
    """A file that a conversion wrote, with those beside it."""

    serving: ServingStore
    conversion: Conversion

    @property
    def registered(self) -> str | None:
        return self.conversion.sha256

    def fetch(self, max_bytes: int) -> ModelFile:
        return self.serving.fetch_converted(self.conversion, max_bytes)

    def sha256(self) -> str | None:
        return self.conversion.sha256

    def proof(self, run: Mapping[str, Any]) -> bytes | None:
        return self.serving.converted_proof(self.conversion)

    def explanation(self, run: Mapping[str, Any]) -> bytes | None:
        return self.serving.converted_explanation(self.conversion)


class VersionFiles:
    """Finds the files of versions."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._tracking, self._serving = dependencies.tracking, dependencies.serving
        self._conversions = dependencies.conversions

    def of(self, version: Version) -> VersionFile:
        """Return where the file of a version is."""
        conversion = self._conversions.of(version.model_name, version.version, version.created_at)
        if conversion is not None and conversion.status is ConversionStatus.SUCCEEDED:
            return ConvertedFile(self._serving, conversion)
        return LoggedFile(self._serving, self._uri(version), version.tags.get("sha256"))

    def convertible(self, version: Version) -> str | None:
        """Return the prefix of a version's files if they have to be converted first and a job can try it, else None."""
        uri = self._uri(version)
        folder = self._serving.folder(uri)
        if folder is None or self._serving.has_model(uri):
            return None
        mlmodel = self._serving.mlmodel(uri)
        return folder if mlmodel is not None and is_convertible(mlmodel) else None

    def _uri(self, version: Version) -> str:
        return self._tracking.artifact_uri(version.model_name, version.version)
