"""What a request for a webhook may say."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from mlops.domain.request import Request
from mlops.domain.webhooks.event import EVENT_TYPES, FAMILIES
from mlops.domain.webhooks.webhook import Format

_HOST = re.compile(r"^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])$")
_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
"""Those of RFC 3986. Parameter Store takes no braces, which are none of them."""
_KNOWN = frozenset({"*", *EVENT_TYPES, *(f"{family}.*" for family in FAMILIES)})

WebhookId = Annotated[
    str, Field(pattern=r"^wh_[0-9a-f]{20}$", description="Id of a webhook, such as wh_0199f0c2a4b17d31c2ae")
]


class WebhookRequest(Request):
    """Where to send which events."""

    url: Annotated[
        str, Field(max_length=2000, description="The https:// address that gets the messages by POST, on port 443")
    ]
    events: Annotated[
        list[str],
        Field(min_length=1, max_length=50, description=f"Types of events, or a family: {', '.join(EVENT_TYPES)}"),
    ]
    format: Annotated[
        Format, Field(description="standard: as Standard Webhooks says; slack: a text for an incoming webhook of Slack")
    ] = "standard"
    models: Annotated[
        list[Annotated[str, Field(pattern=r"^(\*|[^\x00-\x1f*]{1,200}\*?)$")]] | None,
        Field(
            min_length=1,
            max_length=50,
            description="Send events of these models and experiments only; churn* stands for all names with this "
            "beginning. By default those that the key is for",
        ),
    ] = None
    description: Annotated[str | None, Field(max_length=200)] = None

    @field_validator("url")
    @classmethod
    def _can_be_called(cls, value: str) -> str:
        """Refuse what is not sent to in any case. The addresses of the host are checked at each delivery."""
        try:
            parts = urlsplit(value)
            port = parts.port
        except ValueError as error:
            raise ValueError(f"is not an address: {error}") from error
        if parts.scheme != "https":
            raise ValueError("must begin with https://")
        if not _CHARACTERS.fullmatch(value):
            raise ValueError("has characters that an address cannot have; encode them as %…, and the host as xn--…")
        if "@" in parts.netloc:
            raise ValueError("must have no user name or password; receivers check the signature")
        if port not in (None, 443):
            raise ValueError("must have no port, or the port 443")
        if not _HOST.match(parts.hostname or ""):
            raise ValueError("must have the full name of a host, such as hooks.example.com, and not an IP address")
        if parts.fragment or value.endswith("#"):
            raise ValueError("must have no part after #, as it is never sent")
        return value

    @field_validator("events")
    @classmethod
    def _are_sent(cls, value: list[str]) -> list[str]:
        if unknown := sorted(set(value) - _KNOWN):
            families = ", ".join(f"{family}.*" for family in FAMILIES)
            raise ValueError(
                f"has {', '.join(map(repr, unknown))}, which the platform does not send. It sends "
                f"{', '.join(EVENT_TYPES)}; {families} stand for all of a family, * for all"
            )
        return list(dict.fromkeys(value))
