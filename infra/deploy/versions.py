"""Published versions of functions: kept while an alias points to them, and one more for a rollback."""

from typing import Any

KEPT = 2
"""The one that serves and the one before it, for a rollback. With SnapStart each one costs money."""


def delete_old_versions(client: Any, function: str) -> list[str]:
    """Delete the versions that no alias points to, except the newest `KEPT`; returns the deleted ones."""
    versions = [
        version["Version"]
        for page in client.get_paginator("list_versions_by_function").paginate(FunctionName=function)
        for version in page["Versions"]
        if version["Version"] != "$LATEST"
    ]
    aliased: set[str] = set()
    for page in client.get_paginator("list_aliases").paginate(FunctionName=function):
        for alias in page["Aliases"]:
            aliased |= {alias["FunctionVersion"], *alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})}
    kept = aliased | set(sorted(versions, key=int)[-KEPT:])
    old = sorted(set(versions) - kept, key=int)
    for version in old:
        client.delete_function(FunctionName=function, Qualifier=version)
    return old
