"""Names of ministack that are its own business, and that this package uses all the same.

Each is looked up at start-up. So another version of ministack fails there and says which name is gone, instead of
behaving differently in silence.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from typing import Any

REACHED = {
    "ministack.app": ("_MAIN_LOOP", "_build_persistence_save_dict", "_state_map"),
    "ministack.core.persistence": ("_json_default",),
    "ministack.services.apigateway_v1": (
        "_api_key_from_request",
        "_gateway_error_response",
        "_gw_error",
        "_put_gateway_response",
        "_resolve_api_key",
        "_stages_v1",
    ),
    "ministack.services.cloudformation": ("_stacks",),
    "ministack.services.cloudformation.provisioners": ("_RESOURCE_HANDLERS",),
    "ministack.services.cloudwatch_logs": (
        "_create_log_group",
        "_create_log_stream",
        "_log_groups",
        "_put_log_events",
        "_subscription_pattern_matches",
    ),
    "ministack.services.eventbridge": ("_put_events",),
    "ministack.services.lambda_svc": (
        "_execute_function_with_config_scope",
        "_execution_record_for_config",
        "_functions",
        "_get_func_record_for_ref",
        "_route_async_failure",
        "_run_with_function_config_scope",
    ),
    "ministack.services.s3": ("_parse_range",),
    "ministack.services.sqs": ("_queues",),
}
"""Names that are used without being replaced, by module."""


def check() -> None:
    """Look up every name of `REACHED`. Raises RuntimeError for the first that this version of ministack lacks."""
    for module, names in REACHED.items():
        for name in names:
            if not hasattr(import_module(module), name):
                raise _missing(module, name)


def replace(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Replace a name of a module or class by what `make` makes of it. Raises RuntimeError when it is not there."""
    if not hasattr(owner, name):
        raise _missing(owner.__name__, name)
    setattr(owner, name, make(getattr(owner, name)))


def _missing(module: str, name: str) -> RuntimeError:
    return RuntimeError(f"ministack {version('ministack')} has no {module}.{name}: use the pinned version")
