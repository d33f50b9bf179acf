"""A dependency that does not answer."""

from typing import Any

from mlops.domain.errors import DependencyUnavailable


class Away:
    """Stands for any adapter: each of its methods says that the service does not answer."""

    def __getattr__(self, name: str) -> Any:
        def unavailable(*arguments: Any, **named: Any) -> Any:
            raise DependencyUnavailable(f"{name}: away")

        return unavailable
