"""Check a request before its job starts: what the trainer would refuse only minutes later, and the cost guards."""

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from mlops.domain import objective as objectives
from mlops.domain.errors import FieldError, ValidationFailed
from mlops.domain.model_types import ModelType, ModelTypes
from mlops.domain.objective import ObjectiveError
from mlops.domain.prices import ATTEMPTS
from mlops.domain.resources import Resources
from mlops.domain.training_data import IMAGES, DataKind, HeldOutRows, kinds_of
from mlops.domain.training_request import TrainingSubject
from mlops_contract import Task
from training.settings import TrainingSettings

TABLE_FIELDS = ("target", "columns", "held_out", "weight")
"""Fields that speak of a table's columns or rows."""


def check(request: TrainingSubject, types: ModelTypes, settings: TrainingSettings) -> ModelType:
    """Check everything but the hyperparameters, and return the model type.

    Raises:
        ValidationFailed: Names each field that is wrong.
    """
    model_type = find_type(request.model_type, types)
    errors = [
        *_task_errors(request, model_type),
        *_data_errors(request, model_type, types, settings),
        *_column_errors(request),
        *_objective_errors(request, model_type),
        *resource_errors(request.resources, settings),
        *_gpu_errors(request.resources, model_type, types, settings),
    ]
    if errors:
        raise ValidationFailed.of_fields(errors)
    return model_type


def find_type(name: str, types: ModelTypes) -> ModelType:
    """Return the model type with this name. Raises ValidationFailed, which names those that there are."""
    model_type = types.find(name)
    if model_type is None:
        raise ValidationFailed.of_field("model_type", f"must be one of {', '.join(types.names())}")
    return model_type


def _task_errors(request: TrainingSubject, model_type: ModelType) -> Iterator[FieldError]:
    if request.task is None:
        return
    if request.task not in model_type.tasks:
        yield "task", f"{model_type.name} takes {' and '.join(model_type.tasks)} only"
    if request.task == "regression" and request.dataset in IMAGES:
        yield "task", f"must be classification: the labels of {request.dataset} are classes"
    if request.task == "regression" and request.class_weight == "balanced":
        yield "class_weight", "must be none for regression, which has no classes"
    if request.task == "regression" and request.decision_threshold is not None:
        yield "decision_threshold", "must be left out for regression, which has no classes"


def _data_errors(
    request: TrainingSubject, model_type: ModelType, types: ModelTypes, settings: TrainingSettings
) -> Iterator[FieldError]:
    yield from bucket_errors(request.dataset, settings)
    kinds = kinds_of(request.dataset)
    if kinds.isdisjoint(model_type.data):
        fitting = [each.name for each in types.model_types if not kinds.isdisjoint(each.data)]
        yield (
            "model_type",
            f"{model_type.name} takes {_kinds(model_type.data)}, and this data set has {_kinds(sorted(kinds))}: use "
            f"{', '.join(fitting) or 'another data set'}",
        )
    if "table" not in kinds:
        for name in TABLE_FIELDS:
            if getattr(request, name):
                yield name, "must be left out: it is for tables with named columns, which this data set is not"


def bucket_errors(dataset: str, settings: TrainingSettings) -> Iterator[FieldError]:
    """Yield why the bucket of a data set may not be read."""
    bucket = urlsplit(dataset).netloc
    allowed = [settings.artifact_bucket, *filter(None, settings.dataset_buckets.split(","))]
    if dataset.startswith("s3://") and bucket not in allowed:
        yield "dataset", f"the bucket {bucket!r} is not allowed; an operator can add it to DatasetBuckets"


def _kinds(kinds: Iterable[DataKind]) -> str:
    """Return `tables or images`."""
    return " or ".join(f"{kind}s" for kind in kinds)


def _column_errors(request: TrainingSubject) -> Iterator[FieldError]:
    target = request.target
    if target is not None and request.columns.get(target) == "ignore":
        yield f"columns.{target}", "must not be ignored: it is the target"
    if request.weight is not None and request.weight == target:
        yield "weight", "must be another column than the target"
    if isinstance(request.held_out, HeldOutRows) and request.held_out.column == target:
        yield "held_out.column", "must be another column than the target"


def _objective_errors(request: TrainingSubject, model_type: ModelType) -> Iterator[FieldError]:
    if request.objective is None:
        if request.direction is not None:
            yield "direction", "is for an `objective` of your own: name it, or leave the direction out"
        return
    try:
        objectives.named(request.objective, request.direction, Task(request.task) if request.task else None)
    except ObjectiveError as error:
        yield "objective", str(error)
    fitting = [task for task in Task if request.objective in objectives.names(task)]
    if fitting and not set(fitting) & set(model_type.tasks):
        yield "objective", f"measures {' and '.join(fitting)}, which {model_type.name} does not take"


def resource_errors(resources: Resources | None, settings: TrainingSettings) -> Iterator[FieldError]:
    """Yield what a job asks for beyond the cost guards."""
    if resources is None:
        return
    size = resources.size
    caps = [
        ("vcpu", size.vcpu if size else None, settings.max_vcpu, "MaxVcpu"),
        ("memory_gb", size.memory_gb if size else None, settings.max_memory_gb, "MaxMemoryGb"),
        ("minutes", resources.minutes, settings.max_minutes, "MaxMinutes"),
    ]
    for name, value, most, parameter in caps:
        if value is not None and value > most:
            yield f"resources.{name}", f"the job needs {value:g}, and at most {most:g} are allowed ({parameter})"


def cost_errors(resources: Resources | None, settings: TrainingSettings, runs: int = 1) -> Iterator[FieldError]:
    """Yield that `runs` runs could cost too much: all their attempts, for all of their time, on demand."""
    minutes = (resources and resources.minutes) or settings.max_job_seconds / 60
    hour = settings.dearest_hour(resources)
    most = runs * ATTEMPTS * minutes / 60 * hour
    if most > settings.max_job_cost:
        several = f"{runs} runs of " if runs > 1 else ""
        fewer = " or fewer runs" if runs > 1 else ""
        yield (
            "resources.minutes",
            f"it could cost {most:.2f} dollars, for {several}{ATTEMPTS} attempts of {minutes:g} minutes at {hour:.3f} "
            f"an hour, and at most {settings.max_job_cost:g} are allowed (MaxJobCost): ask for less time, a smaller "
            f"size{fewer}",
        )


def _gpu_errors(
    resources: Resources | None, model_type: ModelType, types: ModelTypes, settings: TrainingSettings
) -> Iterator[FieldError]:
    if resources is None or not resources.gpu:
        return
    if not settings.gpu_job_definition:
        yield (
            "resources.gpu",
            "must be 0: this stack has no GPUs; an operator can add some with the parameter GpuInstanceTypes",
        )
    elif not model_type.gpu:
        fitting = ", ".join(each.name for each in types.model_types if each.gpu)
        yield "resources.gpu", f"must be 0: {model_type.name} trains on the processor only; on a GPU train {fitting}"
