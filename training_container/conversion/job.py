"""The job of a conversion: fetch the files, have them converted by a process without rights, store the result.

The result document is written last. If the job dies before, Batch's event says so. Another attempt writes the same.
"""

import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from conversion.bucket import Bucket, TooLarge
from conversion.confinement import convert_confined
from conversion.handover import EXPLANATION, MODEL, PROOF, Handover, Outcome
from mlops.domain.conversion import (
    MAX_NOTE,
    MAX_NOTES,
    MAX_REASON,
    RESULT_FILE,
    ConversionResult,
    explanation_file,
    folder_of,
    model_file,
    proof_file,
)
from mlops.settings import Settings

MAX_SOURCE_BYTES = 2_000_000_000
"""A version's files. What serves is smaller by far."""
MAX_MADE_BYTES = 1_000_000_000
"""The ONNX file; the gate's own limit is lower."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobSettings(Settings):
    """What the job is given.

    Attributes:
        artifact_bucket: The platform's bucket.
        conversion_id, model_name, model_version: What the result is for.
        model_folder: The prefix of the version's files.
        conversion_seconds: How long the conversion may take.
    """

    artifact_bucket: str
    conversion_id: str
    model_name: str
    model_version: int
    model_folder: str
    conversion_seconds: float = 1500.0


def run(settings: JobSettings) -> ConversionResult:
    """Convert the version, and return what was stored as its result."""
    bucket = Bucket(settings.artifact_bucket)
    prefix = folder_of(settings.model_name, settings.model_version, settings.conversion_id)
    with tempfile.TemporaryDirectory() as scratch:
        source, made = Path(scratch, "model"), Path(scratch, "made")
        made.mkdir()
        try:
            bucket.fetch(settings.model_folder, source, MAX_SOURCE_BYTES)
            outcome = convert_confined(source, made, settings.conversion_seconds)
            result = _stored(bucket, prefix, settings.conversion_id, Handover(made), outcome)
        except TooLarge as error:
            result = ConversionResult(conversion_id=settings.conversion_id, reason=_cut(str(error), MAX_REASON))
    bucket.put(prefix + RESULT_FILE, result.model_dump_json().encode())
    logger.info("conversion %s: %s", settings.conversion_id, result.reason or f"the file {result.sha256}")
    return result


def _stored(bucket: Bucket, prefix: str, conversion_id: str, made: Handover, outcome: Outcome) -> ConversionResult:
    """Store the files that were made, and return the result. What the other process says is not believed unread."""
    notes = tuple(_cut(note, MAX_NOTE) for note in outcome.notes[:MAX_NOTES])
    if outcome.reason is not None:
        return ConversionResult(conversion_id=conversion_id, reason=_cut(outcome.reason, MAX_REASON), notes=notes)
    model, proof = made.read(MODEL, MAX_MADE_BYTES), made.read(PROOF, MAX_MADE_BYTES)
    try:
        result = ConversionResult(
            conversion_id=conversion_id,
            sha256=model.sha256 if model else None,
            proof_sha256=proof.sha256 if proof else None,
            task=outcome.task,  # type: ignore[arg-type]  # checked here
            notes=notes,
        )
    except ValidationError:
        reason = "the process that loaded the model left no file, or not one that can be a conversion's"
        return ConversionResult(conversion_id=conversion_id, reason=reason)
    for file, name in ((model, model_file), (proof, proof_file)):
        if file is not None:
            bucket.put(prefix + name(file.sha256), file.data)
    explanation = made.read(EXPLANATION, MAX_MADE_BYTES)
    if model is not None and explanation is not None:
        bucket.put(prefix + explanation_file(model.sha256), explanation.data)
    return result


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
