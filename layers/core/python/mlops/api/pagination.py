"""Query parameters of lists that are read page by page."""

from typing import Annotated

from fastapi import Query

Cursor = Annotated[
    str | None,
    Query(max_length=2000, description="The next_cursor of the previous page; leave it out for the first page"),
]
PageSize = Annotated[int, Query(ge=1, le=200, description="The most entries of a page")]
SmallPageSize = Annotated[int, Query(ge=1, le=100, description="The most entries of a page")]
