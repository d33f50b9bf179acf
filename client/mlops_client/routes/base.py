"""The base of the routes of all subjects."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, TypeVar

from mlops_client.listing import Listing
from mlops_client.records import decode_page
from mlops_client.transport import Transport

T = TypeVar("T")
PAGE_SIZE = 100
"""The API's limit of records per page."""


class Routes:
    """Requests to the API over one transport."""

    transport: Transport

    def _post(self, route: str, body: Any, query: dict[str, Any] | None = None, key: str | None = None) -> Any:
        """Send a request that changes something, with an Idempotency-Key, so that it is carried out only once."""
        return self.transport.call("POST", route, body, query=query, idempotency_key=key or str(uuid.uuid4()))

    def _pages(
        self,
        route: str,
        field: str,
        kind: type[T],
        limit: int,
        query: dict[str, Any] | None = None,
        keep: Callable[[T], bool] | None = None,
    ) -> Listing[T]:
        """Return at most `limit` records, from as many pages as needed.

        Args:
            route: The route.
            field: The field of a page that has the records.
            kind: The type of the records.
            limit: How many records to return at most.
            query: Further parameters.
            keep: Which records are wanted, if the API cannot choose them. Then the API's count says nothing.
        """
        records: list[T] = []
        cursor = total = None
        while True:
            size = min(PAGE_SIZE, limit - len(records)) if keep is None else PAGE_SIZE
            page = self.transport.call("GET", route, query={**(query or {}), "limit": size, "cursor": cursor})
            found = decode_page(kind, page, field)
            records += found if keep is None else filter(keep, found)
            cursor, total = page.get("next_cursor"), page.get("total_count", total)
            if keep is not None:
                total = len(records) if cursor is None else None
            if cursor is None or len(records) >= limit:
                return Listing(records[:limit], total, cursor)


def given(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values that are not None. The API has defaults for the others."""
    return {name: value for name, value in values.items() if value is not None}
