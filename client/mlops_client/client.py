"""The client: one method per route, with records as results."""

from __future__ import annotations

from mlops_client.config import read_login
from mlops_client.models import Health, Ready
from mlops_client.records import decode
from mlops_client.routes.drift import DriftRoutes
from mlops_client.routes.experiments import ExperimentRoutes
from mlops_client.routes.predictions import PredictionRoutes
from mlops_client.routes.registry import RegistryRoutes
from mlops_client.routes.training import TrainingRoutes
from mlops_client.transport import Transport


class Client(TrainingRoutes, ExperimentRoutes, RegistryRoutes, PredictionRoutes, DriftRoutes):
    """The platform's API.

    A request that fails for a temporary reason is sent again. A request that changes something carries an
    Idempotency-Key, so that it is carried out once.

    Every method raises ApiError (its subclasses say which kind) when the API refuses, and Unreachable when nothing that
    speaks the API answers.

    Args:
        url: The API's address; else MLOPS_API_URL, else what `mlops login` stored.
        key: The API key; else MLOPS_API_KEY, else what `mlops login` stored for that address.
        attempts: The greatest number of times that one request is sent.
        timeout: The greatest number of seconds to wait for one answer.

    Raises:
        NotSignedIn: There is no address or no key.
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
        """Return whether the API is up. Nothing behind it is asked."""
        return decode(Health, self.transport.call("GET", "/health"))

    def ready(self) -> Ready:
        """Return whether the services behind the API answer; `status` is degraded if one does not."""
        return decode(Ready, self.transport.call("GET", "/ready", answers=(503,)))
