"""Send a request to an address that a caller of the API has chosen, without being led elsewhere.

The host is resolved once. If one of its addresses is not public, nothing is sent; otherwise the connection goes to one
of these very addresses, so that a name which resolves to another address a moment later (DNS rebinding) gains nothing.
The certificate has to be of the host's name. Redirects are not followed, and proxies of the environment are not used.
"""

import http.client
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import urlsplit

from webhook_delivery.addresses import is_public

PORT = 443
CONNECT_SECONDS = 5.0
"""For each address."""
WHOLE_SECONDS = 15.0
"""From the first connection to the end of the answer's headers, however slowly they come."""
MOST_ADDRESSES = 4


class NotSent(Exception):
    """There was no answer. The text says why."""


class Connect(Protocol):
    """Open a connection to an address and port, within some seconds. Raises OSError."""

    def __call__(self, address: tuple[str, int], timeout: float) -> socket.socket: ...


def resolve(host: str) -> list[str]:
    """Return the addresses of a host, in the order in which to try them. Raises OSError."""
    answers = socket.getaddrinfo(host, PORT, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


class Transport:
    """Sends requests by POST.

    Args:
        resolver: Finds the addresses of a host.
        connect: Opens connections.
        context: Whose certificates are trusted. By default those that OpenSSL trusts.
        seconds: How long a request may take, without the resolver.
    """

    def __init__(
        self,
        resolver: Callable[[str], list[str]] = resolve,
        connect: Connect = socket.create_connection,
        context: ssl.SSLContext | None = None,
        seconds: float = WHOLE_SECONDS,
    ) -> None:
        self._resolve, self._connect, self._seconds = resolver, connect, seconds
        self._context = context or ssl.create_default_context()
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._context.sslsocket_class = _BoundedSocket

    def post(self, url: str, headers: dict[str, str], body: bytes) -> int:
        """Send a request, and return the status of the answer. Its body is not read.

        Raises:
            NotSent: The host cannot be resolved or has an address that is not public, the connection or its
                certificate fails, or the answer does not come in time.
        """
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme != "https" or not host or parts.port not in (None, PORT):
            raise NotSent("the address is not https:// on port 443")
        addresses = self._public_addresses(host)
        ends = time.monotonic() + self._seconds
        try:
            with self._secured(host, addresses, ends) as secured:
                connection = http.client.HTTPSConnection(host, PORT, context=self._context)
                connection.sock = secured
                path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
                connection.request("POST", path, body, {**headers, "connection": "close"})
                return connection.getresponse().status
        except ssl.SSLCertVerificationError as error:
            raise NotSent(f"the certificate of {host} is not valid: {error.verify_message}") from error
        except TimeoutError as error:
            raise NotSent(f"{host} has not answered within {self._seconds:g} s") from error
        except (OSError, http.client.HTTPException) as error:
            raise NotSent(f"the connection to {host} failed: {error!r}"[:500]) from error

    def _public_addresses(self, host: str) -> list[str]:
        try:
            addresses = self._resolve(host)
        except (OSError, UnicodeError) as error:
            raise NotSent(f"the host {host} cannot be resolved: {error}") from error
        if not addresses:
            raise NotSent(f"the host {host} has no address")
        if refused := [address for address in addresses if not is_public(address)]:
            raise NotSent(f"the host {host} has the address {refused[0]}, which is not a public one; nothing was sent")
        return addresses[:MOST_ADDRESSES]

    def _secured(self, host: str, addresses: list[str], ends: float) -> "_BoundedSocket":
        """Connect to the first address that takes the connection. Raises OSError."""
        plain = self._connected(addresses, ends)
        try:
            plain.settimeout(_left(ends))
            secured = self._context.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise
        assert isinstance(secured, _BoundedSocket), "the context makes these"
        secured.ends = ends
        return secured

    def _connected(self, addresses: list[str], ends: float) -> socket.socket:
        for address in addresses[:-1]:
            try:
                return self._connect((address, PORT), timeout=min(CONNECT_SECONDS, _left(ends)))
            except OSError:
                continue
        return self._connect((addresses[-1], PORT), timeout=min(CONNECT_SECONDS, _left(ends)))


class _BoundedSocket(ssl.SSLSocket):
    """A connection on which all reads and writes together end at `ends`, of the monotonic clock.

    The timeout of a socket alone begins anew with each byte.
    """

    ends = float("inf")

    def recv_into(self, *args: Any, **options: Any) -> int:
        self._bound()
        return super().recv_into(*args, **options)

    def send(self, *args: Any, **options: Any) -> int:
        self._bound()
        return super().send(*args, **options)

    def _bound(self) -> None:
        if self.ends != float("inf"):
            self.settimeout(_left(self.ends))


def _left(ends: float) -> float:
    """Return the seconds until then. Raises TimeoutError."""
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
