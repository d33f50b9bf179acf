"""Read objects of one bucket: conditional GETs with a time limit and a size limit, signed here (SigV4).

botocore's S3 client is two thirds of a cold start that has no other use for it, so predict speaks to S3 itself: one
kind of request, GET of one key, over the standard library's HTTP client.
"""

import hashlib
import hmac
import http.client
import os
import time
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from predict.credentials import Credentials, CredentialsSource, CredentialsUnavailable

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
IDLE_SECONDS = 15.0
"""A connection unused for longer is not trusted: S3 closes idle ones, and a frozen environment does not notice."""
CHUNK = 1 << 18
EXPIRED = (b"ExpiredToken", b"RequestExpired", b"InvalidToken")


class S3Error(Exception):
    """The object could not be had. Nothing of S3's own text is in the message."""


class S3Missing(S3Error):
    """There is no such object. A bucket that is not there is an outage, not an answer."""


class S3TooLarge(S3Error):
    """The object, which has this `etag`, is larger than the caller allows."""

    def __init__(self, message: str, etag: str) -> None:
        super().__init__(message)
        self.etag = etag


class S3Unavailable(S3Error):
    """S3 did not answer in time, refused, or the answer broke off: another try may succeed."""


class _Expired(S3Unavailable):
    """The credentials were good once."""


@dataclass(frozen=True)
class S3Object:
    data: bytes
    etag: str


@dataclass(frozen=True)
class Place:
    """Where the bucket is: `prefix` is what stands before the key in a request's path."""

    host: str
    secure: bool
    prefix: str
    region: str

    @classmethod
    def from_environment(cls, bucket: str) -> "Place":
        """AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL if set, with the bucket in the path; else the region's own S3."""
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        if endpoint:
            parts = urlsplit(endpoint)
            return cls(parts.netloc, parts.scheme == "https", f"{parts.path.rstrip('/')}/{bucket}/", region)
        domain = f"s3.{region}.amazonaws.com" + (".cn" if region.startswith("cn-") else "")
        if "." in bucket:  # the certificate's wildcard covers one label only
            return cls(domain, True, f"/{bucket}/", region)
        return cls(f"{bucket}.{domain}", True, "/", region)


class Bucket:
    """One bucket, one kept connection. Not for use from several threads, as nothing in a Lambda handler is."""

    def __init__(self, place: Place, credentials: CredentialsSource) -> None:
        self._place = place
        self._credentials = credentials
        self._connection: http.client.HTTPConnection | None = None
        self._used = 0.0

    @classmethod
    def from_environment(cls, bucket: str) -> "Bucket":
        return cls(Place.from_environment(bucket), CredentialsSource())

    def get(self, key: str, *, seconds: float, max_bytes: int, etag: str | None = None) -> S3Object | None:
        """The object, or None when it still has `etag`.

        `seconds` bounds the whole call, however slowly the bytes drip; `max_bytes` bounds what is read.

        Raises:
            S3Missing, S3TooLarge, S3Unavailable: see there.
        """
        deadline = time.monotonic() + seconds
        try:
            try:
                return self._attempt(key, etag, deadline, max_bytes)
            except _Expired:
                self._credentials.forget()
                return self._attempt(key, etag, deadline, max_bytes)
        except S3Error:
            raise
        except (OSError, http.client.HTTPException, CredentialsUnavailable) as error:
            self.disconnect()
            raise S3Unavailable(type(error).__name__) from error

    def disconnect(self) -> None:
        """Drop the connection, as after a restore from a snapshot, whose sockets are gone."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def forget(self) -> None:
        """Drop the connection and the credentials: both belong to the moment the snapshot was taken."""
        self.disconnect()
        self._credentials.forget()

    def _attempt(self, key: str, etag: str | None, deadline: float, max_bytes: int) -> S3Object | None:
        credentials = self._credentials.get(_left(deadline))
        kept = self._connection is not None
        try:
            return self._exchange(key, etag, credentials, deadline, max_bytes)
        except (http.client.BadStatusLine, ConnectionResetError, BrokenPipeError):
            # S3 closed the kept connection between two requests; that says nothing about S3, so once more.
            self.disconnect()
            if not kept:
                raise
            return self._exchange(key, etag, credentials, deadline, max_bytes)

    def _exchange(
        self, key: str, etag: str | None, credentials: Credentials, deadline: float, max_bytes: int
    ) -> S3Object | None:
        path = self._place.prefix + quote(key, safe="/-_.~")
        headers = signed_headers(self._place, path, credentials, time.time())
        if etag:
            headers["if-none-match"] = etag
        connection = self._connect(deadline)
        connection.request("GET", path, headers=headers)
        _limit(connection, deadline)
        response = connection.getresponse()
        if response.status == 200:
            etag = response.headers.get("etag", "")
            if response.length is not None and response.length > max_bytes:
                self.disconnect()
                raise S3TooLarge(f"it has {response.length} bytes, more than {max_bytes}", etag)
            found = S3Object(_read(connection, response, deadline, max_bytes), etag)
        elif response.status == 304:
            response.read()
            found = None
        else:
            status, body = response.status, response.read(4096)
            self.disconnect()
            if status == 404 and b"NoSuchBucket" not in body:
                raise S3Missing(key)
            if status in (400, 403) and any(code in body for code in EXPIRED):
                raise _Expired(f"status {status}")
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


def signed_headers(place: Place, path: str, credentials: Credentials, now: float) -> dict[str, str]:
    """The headers of a GET of `path` (already quoted, no query), signed with AWS Signature Version 4.

    https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
    """
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    headers = {"host": place.host, "x-amz-content-sha256": EMPTY_SHA256, "x-amz-date": moment}
    if credentials.token:
        headers["x-amz-security-token"] = credentials.token
    names = ";".join(headers)  # written above in the alphabetical order that the signature asks for
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = f"GET\n{path}\n\n{lines}\n{names}\n{EMPTY_SHA256}"
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


def _read(
    connection: http.client.HTTPConnection, response: http.client.HTTPResponse, deadline: float, max_bytes: int
) -> bytes:
    data = bytearray()
    while True:
        _limit(connection, deadline)
        chunk = response.read1(CHUNK)
        if not chunk:
            break
        data += chunk
        if len(data) > max_bytes:
            raise http.client.HTTPException  # S3 always says the length before; this is not S3 as we know it
    if response.length:  # what Content-Length promised and did not come
        raise http.client.IncompleteRead(b"", response.length)
    response.close()  # read1 does not notice the end it has reached, and the connection would stay taken
    return bytes(data)


def _limit(connection: http.client.HTTPConnection, deadline: float) -> None:
    if connection.sock is not None:
        connection.sock.settimeout(_left(deadline))


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
