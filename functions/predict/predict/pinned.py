"""Requests that name a version: only this version may answer them."""

from collections.abc import Sequence

from mlops.domain.errors import NoModelInStage, VersionNotServed
from predict.model_cache import ModelCache, ServedModel


def pinned(models: ModelCache, model_name: str, version: int, stages: Sequence[str]) -> tuple[ServedModel, float]:
    """Return the model of a version, from the first of the stages that it is in, and its staleness.

    Raises:
        VersionNotServed: It is in none of the stages. Names the versions that are.
        DependencyUnavailable: As `ModelCache.current`.
    """
    served = {}
    for stage in stages:
        try:
            model, staleness = models.current(model_name, stage)
        except NoModelInStage:
            continue
        if model.manifest.model_version == version:
            return model, staleness
        served[stage] = model.manifest.model_version
    raise VersionNotServed(model_name, version, served)
