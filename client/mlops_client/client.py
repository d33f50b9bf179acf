"""The client: one method per route, which returns records."""

from __future__ import annotations

from mlops_client.config import read_login
from mlops_client.models import EndedSession, Health, Me, Ready
from mlops_client.records import decode
from mlops_client.routes.batch_predictions import BatchPredictionRoutes
from mlops_client.routes.bin import BinRoutes
from mlops_client.routes.drift import DriftRoutes
from mlops_client.routes.experiments import ExperimentRoutes
from mlops_client.routes.feedback import FeedbackRoutes
from mlops_client.routes.governance import GovernanceRoutes
from mlops_client.routes.own_code import OwnCodeRoutes
from mlops_client.routes.predictions import PredictionRoutes
from mlops_client.routes.pushes import PushRoutes
from mlops_client.routes.registry import RegistryRoutes
from mlops_client.routes.rollouts import RolloutRoutes
from mlops_client.routes.webhooks import WebhookRoutes
from mlops_client.transport import Transport


class Client(
    OwnCodeRoutes,
    ExperimentRoutes,
    RegistryRoutes,
    PushRoutes,
    GovernanceRoutes,
    BinRoutes,
    RolloutRoutes,
    PredictionRoutes,
    BatchPredictionRoutes,
    DriftRoutes,
    FeedbackRoutes,
    WebhookRoutes,
):
    """The platform's API.

    A request that fails for a temporary reason is sent again. A request that changes something has an Idempotency-Key,
    so that it is carried out only once.

    Every method raises ApiError, or a subclass, if the API refuses the request, and Unreachable if the API does not
    answer.

    Args:
        url: The API's address. By default MLOPS_API_URL, then the one that `mlops login` stored.
        key: The API key. By default MLOPS_API_KEY, then the one that `mlops login` stored for this address.
        attempts: How many times a request is sent at most.
        timeout: How many seconds to wait for an answer at most.

    Raises:
        NotSignedIn: The address or the key is missing.
    """

    def __init__(
        self, url: str | None = None, key: str | None = None, *, attempts: int = 5, timeout: float = 40.0
    ) -> None:
        login = read_login(url, key)
        self.url = login.url.rstrip("/")
        self.transport = Transport(login.url, login.key, attempts=attempts, timeout=timeout)

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    def health(self) -> Health:
        """Return whether the API is up. It does not check the services behind it."""
        return decode(Health, self.transport.call("GET", "/health"))

    def me(self) -> Me:
        """Return whose key this is, its role, the models that it is for, and when it ends."""
        return decode(Me, self.transport.call("GET", "/me"))

    def sign_out(self) -> EndedSession:
        """End this key, which has to be a personal one."""
        return decode(EndedSession, self.transport.call("DELETE", "/session"))

    def ready(self) -> Ready:
        """Return whether the services behind the API answer; `status` is degraded if one does not."""
        return decode(Ready, self.transport.call("GET", "/ready", answers=(503,)))
