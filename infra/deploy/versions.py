"""Published versions of functions: kept as long as an alias leads to them or may be turned back to them."""

from typing import Any

KEPT = 2
"""The one that serves and the one before it, for a rollback. With SnapStart each one costs money."""


def delete_old_versions(client: Any, function: str) -> list[str]:
    """Delete what no alias leads to, but for the newest `KEPT`; the versions deleted."""
    versions = [
        each["Version"]
        for page in client.get_paginator("list_versions_by_function").paginate(FunctionName=function)
        for each in page["Versions"]
        if each["Version"] != "$LATEST"
    ]
    aliased = set()
    for page in client.get_paginator("list_aliases").paginate(FunctionName=function):
        for alias in page["Aliases"]:
            aliased |= {alias["FunctionVersion"], *alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})}
    kept = aliased | set(sorted(versions, key=int)[-KEPT:])
    old = sorted(set(versions) - kept, key=int)
    for version in old:
        client.delete_function(FunctionName=function, Qualifier=version)
    return old
