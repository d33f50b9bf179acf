"""The adapters and settings that promotion uses."""

from dataclasses import dataclass

from mlops.aws.conversion_jobs import ConversionJobs
from mlops.aws.label_totals import LabelTotals
from mlops.aws.model_history import ModelHistory
from mlops.aws.open_rollouts import OpenRollouts
from mlops.aws.transitions_table import TransitionsTable
from mlops.registry.rest import Tracking
from promotion.archive_tags import ArchiveTags
from promotion.examination import Examine, examine_apart
from promotion.gate import GateSettings
from promotion.serving_store import ServingStore


@dataclass(frozen=True)
class Dependencies:
    """What promotion needs: MLflow, the transitions, the served files, archive tags, the gate's limits, the
    conversions, the rollouts, the history with the settings, the totals of labels, and the examiner."""

    tracking: Tracking
    transitions: TransitionsTable
    serving: ServingStore
    archive_tags: ArchiveTags
    gate: GateSettings
    conversions: ConversionJobs
    rollouts: OpenRollouts
    history: ModelHistory
    labels: LabelTotals
    examine: Examine = examine_apart
