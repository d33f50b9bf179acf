"""A scheduled check of every model in Production: one that fails keeps no other from being checked."""

from collections.abc import Callable

from aws_lambda_powertools import Logger

from mlops.aws.serving_bucket import ServedModels
from mlops.domain.manifest import Manifest

logger = Logger(child=True)


def check_each(served: ServedModels, what: str, check: Callable[[Manifest], str]) -> dict[str, str]:
    """Check all models in Production, and return the verdict by name.

    Args:
        served: The models that serve.
        what: Name of the check, for the log and the error.
        check: Checks one model.

    Raises:
        RuntimeError: At the end, with the names of the models that failed. Lambda tries again.
    """
    verdicts: dict[str, str] = {}
    failed: list[str] = []
    for name in served.names():
        try:
            manifest = served.find(name)
            if manifest is not None:
                verdicts[name] = str(check(manifest))
        except Exception:
            logger.exception(f"{what} failed", model=name)
            failed.append(name)
    if failed:
        raise RuntimeError(f"the {what} of {', '.join(failed)} failed; the log says why")
    return verdicts
