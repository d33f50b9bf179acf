"""Where the ONNX file of a version is: in MLflow, if it was logged as one, or else where a conversion wrote it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops.domain.conversion import Conversion, ConversionStatus, is_convertible
from mlops.domain.errors import DependencyUnavailable, PlatformError
from mlops.registry.rest import Version
from promotion.dependencies import Dependencies
from promotion.serving_store import ModelFile, ServingStore


@dataclass(frozen=True)
class VersionFile:
    """The ONNX file of one version.

    Attributes:
        uri: The address of the version's files in MLflow.
        registered: The SHA-256 that the file must have, if it is known.
        conversion: The conversion that made the file; None if it was logged.
    """

    serving: ServingStore
    uri: str
    registered: str | None
    conversion: Conversion | None

    def fetch(self, max_bytes: int) -> ModelFile:
        """Read the file.

        Raises:
            Conflict: There is none, it is elsewhere, or it is larger than `max_bytes`.
        """
        if self.conversion is not None:
            return self.serving.fetch_converted(self.conversion, max_bytes)
        return self.serving.fetch(self.uri, max_bytes)

    def sha256(self) -> str | None:
        """Return the SHA-256 of the file; None if there is none any more."""
        if self.conversion is not None:
            return self.conversion.sha256
        try:
            return self.serving.sha256_of(self.uri)
        except DependencyUnavailable:
            raise
        except PlatformError:  # the source does not exist any more
            return None

    def proof(self, run: Mapping[str, Any]) -> bytes | None:
        """Read the rows of the file's proof: the conversion's, or those among the artifacts of the run."""
        if self.conversion is not None:
            return self.serving.converted_proof(self.conversion)
        return self.serving.proof(run.get("artifact_uri", ""))


class VersionFiles:
    """Finds the files of versions."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._tracking, self._serving = dependencies.tracking, dependencies.serving
        self._conversions = dependencies.conversions

    def of(self, version: Version) -> VersionFile:
        """Return where the file of a version is."""
        conversion = self._conversions.of(version.model_name, version.version, version.created_at)
        if conversion is None or conversion.status is not ConversionStatus.SUCCEEDED:
            return VersionFile(self._serving, self._uri(version), version.tags.get("sha256"), None)
        return VersionFile(self._serving, self._uri(version), conversion.sha256, conversion)

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
