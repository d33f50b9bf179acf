"""Examines what serves again, as `mlops.domain.examination` says when, and notes the verdict in the manifest.

A version that a former gate admitted stays in its stage, and nothing enters the history. The verdict is for people, who
roll back or promote another version. The manifest of that one is a new one, without the verdict.
"""

from aws_lambda_powertools import Logger

from mlops.domain.examination import is_due
from mlops.domain.manifest import Manifest
from mlops.domain.stages import ALIASES, Stage
from mlops.inference.model import ModelRefused
from promotion.dependencies import Dependencies
from promotion.examination import Placement
from promotion.serving_store import UnreadableManifest

MAX_REASON = 1000

logger = Logger(child=True)


class Reexamination:
    def __init__(self, dependencies: Dependencies) -> None:
        self._serving, self._examine = dependencies.serving, dependencies.examine
        self._limits = dependencies.gate.limits

    def examine(self, model_name: str) -> None:
        """Examine what serves each stage of a model, where that is due."""
        for stage in ALIASES:
            manifest = self._manifest(model_name, stage)
            if manifest is None or not is_due(manifest):
                continue
            refusal = self._refusal(manifest, stage)
            if refusal is not None:
                version = manifest.model_version
                logger.warning("no longer admitted", model=model_name, version=version, stage=stage, reason=refusal)
            self._serving.note_examination(manifest, refusal)

    def _manifest(self, model_name: str, stage: Stage) -> Manifest | None:
        try:
            return self._serving.manifest(model_name, stage)
        except UnreadableManifest:  # the repair has reported it
            return None

    def _refusal(self, manifest: Manifest, stage: Stage) -> str | None:
        """Why the gate would not admit the file; None if it would.

        Latency is not asked for: it is measured once, and a busy moment would stand in the manifest for a day.
        """
        file = self._serving.published(manifest.model_name, manifest.sha256)
        if file is None:
            return "its file in serving/ is gone or damaged"
        placement = Placement(
            manifest.model_name,
            manifest.model_version,
            stage,
            manifest.run_id,
            manifest.metrics,
            manifest.transition_id,
        )
        try:
            self._examine(file, placement, self._limits)
        except ModelRefused as refused:
            # A name in the file may be long, or not be Unicode.
            return str(refused).encode(errors="backslashreplace").decode()[:MAX_REASON]
        return None
