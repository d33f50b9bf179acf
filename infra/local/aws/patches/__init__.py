"""What the local AWS lacks and the platform needs: few changes to ministack, each with its reason.

`internals.replace` looks up every name that is replaced. So another version of ministack fails at start-up and says
which name is gone, instead of behaving differently in silence.
"""

from __future__ import annotations

from collections.abc import Callable

from infra.local.aws import internals
from infra.local.aws.batch.service import BatchService
from infra.local.aws.deliveries import Deliveries
from infra.local.aws.patches import functions, gateway, services
from infra.local.credentials import Credentials


def apply(
    batch_service: BatchService, deliveries: Deliveries, touched: Callable[[str], None], credentials: Credentials
) -> None:
    """Make all changes. Raises RuntimeError with the name that this version of ministack does not have."""
    internals.check()
    gateway.responses()
    gateway.limits()
    gateway.concurrency()
    gateway.function_errors()
    gateway.lambda_event()
    functions.credentials(credentials)
    functions.end_of_invocation()
    functions.isolated_failures()
    services.batch(batch_service)
    services.function_variables()
    services.event_deliveries(deliveries)
    services.log_deliveries(deliveries)
    services.messages_in_flight()
    services.ranges_of_versions()
    services.changes(touched)
