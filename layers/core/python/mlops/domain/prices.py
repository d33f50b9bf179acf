"""What training costs on AWS, by list prices: an estimate. docs/cost.md has the arithmetic."""

from dataclasses import KW_ONLY, dataclass

from mlops.domain.resources import USUAL, Resources, Size
from mlops.settings import Settings

ATTEMPTS = 5
"""The most attempts of a job, as the job definitions in the template say."""
ADDRESS_HOUR = 0.005
"""Dollars for an hour of a public IPv4 address, in every region."""
LEAST_SECONDS = 60
"""AWS bills at least a minute."""


@dataclass(frozen=True)
class Prices(Settings):
    """Prices in US dollars. The defaults are those of us-east-1, as in the template.

    Attributes:
        vcpu_hour_price: Of a vCPU of Fargate.
        gb_hour_price: Of a GB of memory of Fargate.
        spot_price_share: What Fargate Spot costs, as a share of these two.
        gpu_hour_price: Of a job with a GPU: its instance, with disk and address.
    """

    _: KW_ONLY  # settings that inherit these may have some without a default
    vcpu_hour_price: float = 0.04048
    gb_hour_price: float = 0.004445
    spot_price_share: float = 0.3
    gpu_hour_price: float = 0.54

    def fargate_hour(self, size: Size, *, spot: bool = False) -> float:
        """Return the dollars for an hour of a job of a size."""
        computing = size.vcpu * self.vcpu_hour_price + size.memory_gb * self.gb_hour_price
        return computing * (self.spot_price_share if spot else 1) + ADDRESS_HOUR

    def dearest_hour(self, resources: Resources | None) -> float:
        """Return the dollars for an hour of a job that asks for this, where it costs most: not on Spot."""
        if resources is not None and resources.gpu:
            return self.gpu_hour_price
        return self.fargate_hour((resources and resources.size) or USUAL)
