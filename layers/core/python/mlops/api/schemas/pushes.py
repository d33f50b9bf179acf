"""A push: a version of another stack, with what is known of it, that is to be registered here."""

import hashlib
from typing import Annotated

from pydantic import BaseModel, Field, model_validator

from mlops.domain.names import ExperimentName
from mlops.domain.request import Request

MAX_FILES = 1000
MAX_BYTES = 1_000_000_000
"""Of all files together. They are copied while the caller waits."""

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 as hexadecimal digits")]
Name = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f]{1,250}$")]
Path = Annotated[
    str,
    Field(
        pattern=r"^[^/\x00-\x1f\x7f\\][^\x00-\x1f\x7f\\]{0,499}$",
        description="Path in the model's folder, or in the run's",
    ),
]


class PushedFile(Request):
    """A file of the version. Its content is uploaded by its hash."""

    path: Path
    sha256: Digest
    size: Annotated[int, Field(ge=0, le=MAX_BYTES, description="Size in bytes")]


class PushSource(Request):
    """Where the version comes from."""

    stack: Annotated[str, Field(pattern=r"^https?://[^\s]{1,500}$", description="Address of the API that it is from")]
    version: Annotated[int, Field(ge=1, description="The version's number there")]
    run_id: Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,64}$", description="The run there that made it")]


class PushRequest(Request):
    """A version of another stack: the files of the model, and its run's parameters, metrics, tags and files."""

    source: PushSource
    experiment_name: ExperimentName
    run_name: Name | None = None
    params: Annotated[dict[Name, Annotated[str, Field(max_length=6000)]], Field(max_length=1000)] = {}  # noqa: RUF012
    metrics: Annotated[dict[Name, float], Field(max_length=1000)] = {}  # noqa: RUF012  pydantic copies defaults
    tags: Annotated[
        dict[Annotated[str, Field(pattern=r"^mlops\.[a-z0-9_.]{1,100}$")], Annotated[str, Field(max_length=5000)]],
        Field(max_length=80, description="Tags of the run that say what the model is, such as mlops.objective"),
    ] = {}  # noqa: RUF012
    model: Annotated[list[PushedFile], Field(min_length=1, max_length=MAX_FILES, description="The model's folder")]
    artifacts: Annotated[list[PushedFile], Field(max_length=MAX_FILES, description="The other files of the run")] = []  # noqa: RUF012

    @model_validator(mode="after")
    def _usable(self) -> "PushRequest":
        for field, files in (("model", self.model), ("artifacts", self.artifacts)):
            paths = [file.path for file in files]
            if len(set(paths)) < len(paths):
                raise ValueError(f"{field}: has a path twice; name each file once")
            if any(part in ("", ".", "..") for path in paths for part in path.split("/")):
                raise ValueError(f"{field}: each path must be within the folder, without .. and empty parts")
        if "MLmodel" not in {file.path for file in self.model}:
            raise ValueError("model: has no file MLmodel; push the whole folder of the model")
        if sum(file.size for file in (*self.model, *self.artifacts)) > MAX_BYTES:
            raise ValueError(f"model and artifacts: have more than {MAX_BYTES} bytes; leave out large artifacts")
        return self

    @property
    def file_sha256(self) -> str | None:
        """Return the hash of the ONNX file; None if the model has to be converted first."""
        return next((file.sha256 for file in self.model if file.path == "model.onnx"), None)

    @property
    def digest(self) -> str:
        """Return the hash that tells pushes apart: of the model's files, by their paths."""
        content = "".join(f"{file.sha256}  {file.path}\n" for file in sorted(self.model, key=lambda file: file.path))
        return hashlib.sha256(content.encode()).hexdigest()

    @property
    def contents(self) -> dict[str, int]:
        """Return the size of each content that is to be uploaded, by its hash."""
        return {file.sha256: file.size for file in (*self.model, *self.artifacts)}


class PushUpload(BaseModel):
    sha256: str = Field(description="Which content to send")
    url: str = Field(description="Send it there with PUT and `headers`, within an hour")
    headers: dict[str, str] = Field(description="Headers that the PUT must have")


class PushState(BaseModel):
    version: int | None = Field(description="The version here; null as long as contents are missing")
    created: bool = Field(description="Whether this request has registered it; false if it was there before")
    sha256: str | None = Field(description="SHA-256 of the ONNX file; null if the model has to be converted first")
    uploads: list[PushUpload] = Field(
        default=[], description="Contents that are missing. Upload them, and send the same request again"
    )
