"""Check a request before its job starts: the buckets, the files, and the folder of the output."""

from collections.abc import Iterator

from batch_predictions.settings import BatchPredictionSettings
from mlops.aws.batch_prediction_files import BatchPredictionFiles, NotReadable
from mlops.domain.addresses import bucket_of, key_of
from mlops.domain.batch_prediction import OUTPUT_FOLDER, BatchPredictionRequest, not_an_input
from mlops.domain.errors import FieldError, ValidationFailed
from mlops.domain.manifest import Manifest
from mlops.domain.scoring_plan import InputFile
from mlops_contract import Contract
from mlops_contract.table_files import FileRefused, check_head, format_of

MAX_FILES = 5_000


def check_buckets(request: BatchPredictionRequest, settings: BatchPredictionSettings) -> None:
    """Check that the addresses are where the platform reads and writes. Raises ValidationFailed."""
    errors = [*_output_errors(request.output, settings)]
    if reason := not_an_input(request.input, settings.artifact_bucket, settings.dataset_buckets):
        errors.insert(0, ("input", reason))
    if errors:
        raise ValidationFailed.of_fields(errors)


def _output_errors(address: str, settings: BatchPredictionSettings) -> Iterator[FieldError]:
    bucket = bucket_of(address)
    if bucket == settings.artifact_bucket:
        if not key_of(address).startswith(OUTPUT_FOLDER) or key_of(address) == OUTPUT_FOLDER:
            yield "output", f"must be a folder below {OUTPUT_FOLDER} in the platform's bucket"
    elif bucket not in settings.output_buckets.split(","):
        yield "output", f"the bucket {bucket!r} is not allowed; an operator can add it to OutputBuckets"


def check_output(request: BatchPredictionRequest, files: BatchPredictionFiles) -> None:
    """Check that there is nothing in the folder of the output. Raises ValidationFailed."""
    try:
        empty = files.is_empty(bucket_of(request.output), key_of(request.output))
    except NotReadable as error:
        raise ValidationFailed.of_field("output", f"{error}") from error
    if not empty:
        raise output_taken()


def output_taken() -> ValidationFailed:
    """Return the error for a folder of an output that has something in it."""
    return ValidationFailed.of_field("output", "is not empty; choose a folder with nothing in it, or empty this one")


def contract_of(manifest: Manifest) -> Contract:
    """Return the contract of the version that serves. Raises ValidationFailed: it takes images or vectors."""
    if manifest.contract is None:
        raise ValidationFailed.of_field(
            "model_name",
            f"{manifest.model_name} takes images or vectors; batch predictions are for models of named columns, and "
            "POST /predict/batch answers up to 100 images",
        )
    return manifest.contract


def input_files(request: BatchPredictionRequest, contract: Contract, files: BatchPredictionFiles) -> list[InputFile]:
    """Return the files of a request as they are now.

    Raises:
        ValidationFailed: There are none, or one of them cannot be scored. Names it, and says what helps.
    """
    try:
        found = files.inputs(bucket_of(request.input), key_of(request.input), MAX_FILES)
        if not found:
            raise ValidationFailed.of_field("input", f"there are no files at {request.input}; a folder ends in /")
        if len(found) > MAX_FILES:
            raise ValidationFailed.of_field("input", f"has more than {MAX_FILES:,} files; put small files together")
        for file in found:
            format_of(file.address)
        return files.pinned(found, lambda file, head: check_head(file.address, head, contract, request.keep))
    except (NotReadable, FileRefused) as error:
        raise ValidationFailed.of_field("input", str(error)) from error
