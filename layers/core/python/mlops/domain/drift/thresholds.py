"""What a check can say, and from which changes on it says so."""

from dataclasses import dataclass
from enum import StrEnum

from mlops.settings import Settings


class Verdict(StrEnum):
    """The verdict of a check. The most serious one of several is the overall verdict."""

    INSUFFICIENT_DATA = "insufficient_data"
    STABLE = "stable"
    WARNING = "warning"
    ALERT = "alert"

    @property
    def rank(self) -> int:
        return list(Verdict).index(self)


@dataclass(frozen=True)
class DriftThresholds(Settings):
    """From which changes on a check warns or alerts, if chance does not explain them.

    Attributes:
        drift_warning, drift_alert, drift_retrain: The PSI of a warning, an alert and a retrain.
        drift_alpha: The allowed probability of a false verdict on classes, confidence and images in one check.
        drift_minimum_samples: Without so many predictions there is no verdict.
        drift_share_warning, drift_share_alert: By how much the share of missing, unseen or out-of-range values of a
            column has grown.
        drift_columns_alpha: The allowed probability of a false verdict on any column of a model in 30 days.
    """

    drift_warning: float = 0.1
    drift_alert: float = 0.2
    drift_retrain: float = 0.25
    drift_alpha: float = 0.01
    drift_minimum_samples: int = 200
    drift_share_warning: float = 0.01
    drift_share_alert: float = 0.03
    drift_columns_alpha: float = 0.01

    def of_psi(self, psi: float) -> Verdict:
        """Return the verdict on a PSI that chance does not explain."""
        return _verdict(psi, self.drift_warning, self.drift_alert)

    def of_share(self, growth: float) -> Verdict:
        """Return the verdict on the growth of a share that chance does not explain."""
        return _verdict(growth, self.drift_share_warning, self.drift_share_alert)


def _verdict(size: float, warning: float, alert: float) -> Verdict:
    if size >= alert:
        return Verdict.ALERT
    return Verdict.WARNING if size >= warning else Verdict.STABLE
