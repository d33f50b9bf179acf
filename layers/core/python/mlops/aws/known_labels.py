"""Which labels a model can answer, for a label whose prediction is not known yet."""

import time

from mlops.aws.serving_bucket import ServedModels
from mlops.domain.errors import NoModelInStage
from mlops.domain.feedback.kept_answers import UnknownLabel, some_of
from mlops.domain.feedback.outcome import Label, quantity_of
from mlops.domain.manifest import Manifest
from mlops.domain.stages import ALIASES

CACHE_SECONDS = 60.0


class KnownLabels:
    """Reads the manifests of the versions that serve, once a minute while one serves."""

    def __init__(self, served: ServedModels) -> None:
        self._served = served
        self._read: dict[str, tuple[float, list[Manifest]]] = {}

    def check(self, model_name: str, label: Label) -> None:
        """Check that a version that serves can answer this label.

        Raises:
            NoModelInStage: No version of the model serves, so no prediction of it is still to come.
            UnknownLabel: No version that serves has this label.
        """
        manifests = self._manifests(model_name)
        if not manifests:
            raise NoModelInStage(model_name, "Production")
        if any(manifest.predicts_quantity for manifest in manifests):
            quantity_of(label)
            return
        labels = [*dict.fromkeys(str(known) for manifest in manifests for known in manifest.labels)]
        if str(label) not in labels:
            raise UnknownLabel(f"must be one of the model's labels: {some_of(labels)}")

    def _manifests(self, model_name: str) -> list[Manifest]:
        read, manifests = self._read.get(model_name, (0.0, []))
        if not manifests or time.monotonic() - read > CACHE_SECONDS:
            found = (self._served.find(model_name, stage) for stage in ALIASES)
            manifests = [manifest for manifest in found if manifest is not None]
            self._read[model_name] = time.monotonic(), manifests
        return manifests
