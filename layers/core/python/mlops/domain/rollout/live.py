"""The file that tells predict of a rollout: `serving/<model>/Rollout.json`. The function rollout writes it.

It is valid until a time that its writer moves on each minute. So whatever happens to the writer, predict goes back to
the version in Production by itself. Imports only the standard library, because predict imports it.
"""

import json
from dataclasses import asdict, dataclass

from mlops.domain.manifest import SERVING_PREFIX
from mlops.domain.manifest_fields import Fields, ManifestError

CANARY = "Canary"
"""In place of a stage: names the challenger's manifest, `serving/<model>/Canary.json`, and its answers' counts."""
CANARY_VARIANT = "canary"
"""The field `variant` of the challenger's answers, and of their log lines."""
VALID_SECONDS = 300
"""How long the file is valid after it was written."""
MAX_BYTES = 64 << 10
_READER = 1


def rollout_key(model_name: str) -> str:
    """Return the S3 key of the file of a model's rollout."""
    return f"{SERVING_PREFIX}{model_name}/Rollout.json"


@dataclass(frozen=True)
class LiveRollout:
    """What predict needs to know.

    Attributes:
        id: The rollout.
        champion: The version in Production. While another one is there, the file says nothing.
        version: The challenger.
        sha256: Hash of the challenger's file.
        step: Index of the phase, for the log.
        weight: Percent of the routing keys that the challenger answers.
        share: Share of the requests, 0 to 1, for which both versions are asked.
        latency_ratio: How many times as long the challenger may take before a request counts as slower.
        until: Unix time after which the file is not valid.
        confidence_drop: How much less sure the challenger may be before a row counts as unsure; None: not counted.
    """

    id: str
    champion: int
    version: int
    sha256: str
    step: int
    weight: float
    share: float
    latency_ratio: float
    until: float
    confidence_drop: float | None = None

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "LiveRollout":
        """Read the file; fields of a later version are passed over.

        Raises:
            ManifestError: It is not such a file, or needs a later reader. The message names the field.
        """
        try:
            fields = Fields(json.loads(data))
        except (ValueError, RecursionError) as error:
            raise ManifestError(str(error)) from error
        if fields.has("min_reader") and fields.whole("min_reader", least=1) > _READER:
            raise ManifestError("the field min_reader needs a later version of the platform")
        return cls(
            fields.text("id"),
            fields.whole("champion", least=1),
            fields.whole("version", least=1),
            fields.text("sha256"),
            fields.whole("step", least=0),
            fields.number("weight"),
            fields.number("share"),
            fields.number("latency_ratio"),
            fields.number("until"),
            fields.number("confidence_drop") if fields.has("confidence_drop") else None,
        )
