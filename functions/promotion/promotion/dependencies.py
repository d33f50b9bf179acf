"""What a transition works on."""

from dataclasses import dataclass

from mlops.aws.transitions_table import TransitionsTable
from mlops.registry.rest import Tracking
from promotion.archive_tags import ArchiveTags
from promotion.examination import Examine, examine_apart
from promotion.gate import GateSettings
from promotion.serving_store import ServingStore


@dataclass(frozen=True)
class Dependencies:
    """MLflow, the history, the files that serve, the tags of archived files, the gate's limits, and how a file is
    examined."""

    tracking: Tracking
    transitions: TransitionsTable
    serving: ServingStore
    archive_tags: ArchiveTags
    gate: GateSettings
    examine: Examine = examine_apart
