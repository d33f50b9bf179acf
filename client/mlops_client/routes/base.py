"""The base of the routes of all subjects."""

from __future__ import annotations

import uuid
from typing import Any, TypeVar

from mlops_client.listing import Listing
from mlops_client.records import decode_page
from mlops_client.transport import Transport

T = TypeVar("T")
DEFAULT_MODEL = "digit-classifier"
PAGE_SIZE = 100
"""The API's limit of records per page."""


class Routes:
    """Requests to the API over one transport."""

    transport: Transport

    def _post(self, route: str, body: Any, query: dict[str, Any] | None = None, key: str | None = None) -> Any:
        """Send a request that changes something, with an Idempotency-Key, so that it is carried out only once."""
        return self.transport.call("POST", route, body, query=query, idempotency_key=key or str(uuid.uuid4()))

    def _pages(
        self, route: str, field: str, kind: type[T], limit: int, query: dict[str, Any] | None = None
    ) -> Listing[T]:
        """Return at most `limit` records, from as many pages as needed."""
        records: list[T] = []
        cursor = total = None
        while True:
            parameters = {**(query or {}), "limit": min(PAGE_SIZE, limit - len(records)), "cursor": cursor}
            page = self.transport.call("GET", route, query=parameters)
            records += decode_page(kind, page, field)
            cursor, total = page.get("next_cursor"), page.get("total_count", total)
            if cursor is None or len(records) >= limit:
                return Listing(records, total, cursor)


def given(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values that are not None. The API has defaults for the others."""
    return {name: value for name, value in values.items() if value is not None}
