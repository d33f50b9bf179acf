"""Read objects of one bucket with conditional GETs, signed with SigV4, with limits on time and size.

botocore's S3 client would take two thirds of a cold start. predict only needs to GET single keys, with the standard
library's HTTP client.
"""

import hashlib
import hmac
import http.client
import os
import time
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote, urlsplit

from predict.credentials import Credentials, CredentialsSource, CredentialsUnavailable

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
IDLE_SECONDS = 15.0
"""A connection that was idle for longer is closed: S3 closes it too, and a frozen environment does not notice."""
CHUNK = 1 << 18
MAX_LISTING_BYTES = 1 << 16
EXPIRED = (b"ExpiredToken", b"RequestExpired", b"InvalidToken")


class S3Error(Exception):
    """The object could not be read. The message contains no text of S3."""


class S3Missing(S3Error):
    """There is no such object. A missing bucket counts as an outage."""


class S3TooLarge(S3Error):
    """The object, which has this `etag`, is larger than the caller allows."""

    def __init__(self, message: str, etag: str) -> None:
        super().__init__(message)
        self.etag = etag


class S3Unavailable(S3Error):
    """S3 did not answer in time, refused, or ended its answer early. Another try may succeed."""


class _Expired(S3Unavailable):
    """The credentials have expired."""


class _Denied(S3Unavailable):
    """S3 refused the request, or the object does not exist and S3 does not say so."""


@dataclass(frozen=True)
class S3Object:
    data: bytes
    etag: str


class Sink(Protocol):
    """Where the bytes of an object go."""

    def clear(self) -> None:
        """Drop what was written: the object is read once more."""

    def write(self, piece: bytes, /) -> object: ...


class _Memory(bytearray):
    write = bytearray.extend


@dataclass(frozen=True)
class Target:
    """The path and query of a request as they are signed: quoted, with the query's fields in alphabetical order."""

    path: str
    query: str = ""


@dataclass(frozen=True)
class Place:
    """The address of the bucket; `prefix` comes before the key in a request's path."""

    host: str
    secure: bool
    prefix: str
    region: str

    @classmethod
    def from_environment(cls, bucket: str) -> "Place":
        """Use AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL if set, with the bucket in the path, else the region's S3."""
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        if endpoint:
            parts = urlsplit(endpoint)
            return cls(parts.netloc, parts.scheme == "https", f"{parts.path.rstrip('/')}/{bucket}/", region)
        domain = f"s3.{region}.amazonaws.com" + (".cn" if region.startswith("cn-") else "")
        if "." in bucket:  # the certificate's wildcard covers one label only
            return cls(domain, True, f"/{bucket}/", region)
        return cls(f"{bucket}.{domain}", True, "/", region)


@dataclass(frozen=True)
class _Reading:
    """An object that is read: by when, how many bytes at most, and unless it has this entity tag."""

    target: Target
    sink: Sink
    deadline: float
    max_bytes: int
    etag: str | None = None


class Bucket:
    """A bucket, read over one connection. Not thread-safe, because a Lambda handler has one thread."""

    def __init__(self, place: Place, credentials: CredentialsSource) -> None:
        self._place = place
        self._credentials = credentials
        self._connection: http.client.HTTPConnection | None = None
        self._used = 0.0

    @classmethod
    def from_environment(cls, bucket: str) -> "Bucket":
        return cls(Place.from_environment(bucket), CredentialsSource())

    def get(self, key: str, *, seconds: float, max_bytes: int, etag: str | None = None) -> S3Object | None:
        """Read an object; None if it still has `etag`.

        Args:
            key: The object's key.
            seconds: Time limit of the whole call, however slowly the bytes arrive.
            max_bytes: Size limit of the object.
            etag: The entity tag of the object that the caller has.

        Raises:
            S3Missing: There is no such object.
            S3TooLarge: The object has more than `max_bytes`.
            S3Unavailable: S3 did not answer in time, or refused.
        """
        data = _Memory()
        found = self._get(key, data, seconds, max_bytes, etag)
        return S3Object(bytes(data), found) if found is not None else None

    def fetch(self, key: str, sink: Sink, *, seconds: float, max_bytes: int) -> None:
        """Read an object piece by piece into `sink`. Otherwise as `get`."""
        self._get(key, sink, seconds, max_bytes, None)

    def _get(self, key: str, sink: Sink, seconds: float, max_bytes: int, etag: str | None) -> str | None:
        """Return the object's entity tag; None if it is still `etag`."""
        deadline = time.monotonic() + seconds
        target = Target(self._place.prefix + quote(key, safe="/-_.~"))
        try:
            try:
                return self._attempt(_Reading(target, sink, deadline, max_bytes, etag))
            except _Denied:
                # S3 answers 403 for a missing object if the caller may not list the bucket, and AWS does not document
                # whether a permission with a condition on the prefix is enough. Listing this one key shows which of the
                # two it is.
                if self._is_listed(key, deadline):
                    raise
                raise S3Missing(key) from None
        except S3Error:
            raise
        except (OSError, http.client.HTTPException, CredentialsUnavailable) as error:
            self.disconnect()
            raise S3Unavailable(type(error).__name__) from error

    def disconnect(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def forget(self) -> None:
        """Drop the connection and the credentials: a restore from a snapshot has made both invalid."""
        self.disconnect()
        self._credentials.forget()

    def _is_listed(self, key: str, deadline: float) -> bool:
        query = f"list-type=2&max-keys=1&prefix={quote(key, safe='-_.~')}"
        listing = _Memory()
        self._attempt(_Reading(Target(self._place.prefix, query), listing, deadline, MAX_LISTING_BYTES))
        return bytes(listing).find(f"<Key>{key}</Key>".encode()) >= 0

    def _attempt(self, reading: _Reading) -> str | None:
        try:
            return self._reconnecting(reading)
        except _Expired:
            self._credentials.forget()
            return self._reconnecting(reading)

    def _reconnecting(self, reading: _Reading) -> str | None:
        credentials = self._credentials.get(_left(reading.deadline))
        kept = self._connection is not None
        try:
            return self._exchange(reading, credentials)
        except (http.client.BadStatusLine, ConnectionResetError, BrokenPipeError):
            # S3 closed the kept connection between two requests. That says nothing about S3, so try once more.
            self.disconnect()
            if not kept:
                raise
            return self._exchange(reading, credentials)

    def _exchange(self, reading: _Reading, credentials: Credentials) -> str | None:
        target, deadline, max_bytes = reading.target, reading.deadline, reading.max_bytes
        headers = signed_headers(self._place, target, credentials, time.time())
        if reading.etag:
            headers["if-none-match"] = reading.etag
        connection = self._connect(deadline)
        connection.request("GET", target.path + (f"?{target.query}" if target.query else ""), headers=headers)
        _limit(connection, deadline)
        response = connection.getresponse()
        if response.status == 200:
            found = response.headers.get("etag", "")
            if response.length is not None and response.length > max_bytes:
                self.disconnect()
                raise S3TooLarge(f"the object has {response.length} bytes, more than {max_bytes}", found)
            _read(connection, response, reading)
        elif response.status == 304:
            response.read()
            found = None
        else:
            status, body = response.status, response.read(4096)
            self.disconnect()
            if status == 404 and b"NoSuchBucket" not in body:
                raise S3Missing(target.path)
            if status in (400, 403) and any(code in body for code in EXPIRED):
                raise _Expired(f"status {status}")
            if status == 403:
                raise _Denied(f"status {status}")
            raise S3Unavailable(f"status {status}")
        self._used = time.monotonic()
        if response.will_close:
            self.disconnect()
        return found

    def _connect(self, deadline: float) -> http.client.HTTPConnection:
        if self._connection is not None and time.monotonic() - self._used > IDLE_SECONDS:
            self.disconnect()
        if self._connection is None:
            make = http.client.HTTPSConnection if self._place.secure else http.client.HTTPConnection
            self._connection = make(self._place.host, timeout=_left(deadline))
            self._connection.connect()
        _limit(self._connection, deadline)
        return self._connection


def signed_headers(place: Place, target: Target, credentials: Credentials, now: float) -> dict[str, str]:
    """Return the headers of a GET, signed with AWS Signature Version 4.

    https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
    """
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    headers = {"host": place.host, "x-amz-content-sha256": EMPTY_SHA256, "x-amz-date": moment}
    if credentials.token:
        headers["x-amz-security-token"] = credentials.token
    names = ";".join(headers)  # in the alphabetical order that the signature asks for
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = f"GET\n{target.path}\n{target.query}\n{lines}\n{names}\n{EMPTY_SHA256}"
    scope = f"{moment[:8]}/{place.region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = ("AWS4" + credentials.secret_key).encode()
    for part in (moment[:8], place.region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return headers


def _read(connection: http.client.HTTPConnection, response: http.client.HTTPResponse, reading: _Reading) -> None:
    reading.sink.clear()
    size = 0
    while True:
        _limit(connection, reading.deadline)
        chunk = response.read1(CHUNK)
        if not chunk:
            break
        reading.sink.write(chunk)
        size += len(chunk)
        if size > reading.max_bytes:
            raise http.client.HTTPException  # S3 always declares the length before
    if response.length:  # less than Content-Length promised
        raise http.client.IncompleteRead(b"", response.length)
    response.close()  # read1 does not notice the end, and the connection would stay in use


def _limit(connection: http.client.HTTPConnection, deadline: float) -> None:
    if connection.sock is not None:
        connection.sock.settimeout(_left(deadline))


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
