"""Check that a request to the local AWS is signed with the key of the stack, by the rules of AWS.

botocore computes the signature that a request should have from what came over the wire, and the two are compared:
Signature Version 4 in the Authorization header or in the query, and Version 2 in the query, which boto3 uses by default
for presigned addresses of S3.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hmac
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote_plus, urlsplit

from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SigningCredentials

from infra.local.credentials import Credentials

CLOCK_SKEW_SECONDS = 15 * 60
LONGEST_PRESIGNED_SECONDS = 7 * 24 * 3600
SHA256 = re.compile(r"[0-9a-f]{64}")
UNSIGNED = ("UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")

_ALGORITHM = "AWS4-HMAC-SHA256"
_OF_VERSION_2 = frozenset({"AWSAccessKeyId", "Signature", "Expires"})


class Refused(Exception):
    """The request is not signed as it should be; has AWS's code for that, and a message with the remedy."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True)
class Request:
    """A request as it came over the wire: path and query still encoded, header names in lower case."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]

    def header(self, name: str) -> str | None:
        """Return the value of a header, the first if it came several times; None when it is missing."""
        return next((value for each, value in self.headers if each == name), None)


class Claim(Protocol):
    """The signature of a request.

    `service` is the one that it was signed for. `payload` stands for the body in the signature: its SHA-256 in hex, one
    of UNSIGNED, or None when the SHA-256 has to be computed from the body.
    """

    @property
    def key_id(self) -> str: ...

    @property
    def service(self) -> str: ...

    @property
    def payload(self) -> str | None: ...

    def check_time(self, now: float) -> None:
        """Raise Refused when the signature is not, or no longer, valid at `now`."""

    def matches(self, credentials: Credentials, payload: str) -> bool:
        """Whether the signature is the one these credentials give."""


class Verifier:
    """Checks requests against one key."""

    def __init__(self, credentials: Credentials, clock: Callable[[], float] = time.time) -> None:
        self._credentials, self._clock = credentials, clock

    def check_key(self, claim: Claim) -> None:
        """Raise Refused for a signature of another key or another time; `verify` checks whether it is right."""
        if not hmac.compare_digest(claim.key_id.encode(), self._credentials.access_key_id.encode()):
            raise Refused(
                "InvalidAccessKeyId" if claim.service == "s3" else "InvalidClientTokenId",
                "The access key is not that of this stack: `set -a; . .local/env; set +a` sets the right one.",
            )
        claim.check_time(self._clock())

    def verify(self, claim: Claim, payload: str) -> None:
        """Raise Refused unless the signature is right for a body with this `payload`."""
        if not claim.matches(self._credentials, payload):
            raise Refused(
                "SignatureDoesNotMatch",
                "The signature does not fit the request and the secret key of this stack: "
                "`set -a; . .local/env; set +a` sets the right key.",
            )


def read_claim(request: Request) -> Claim:
    """Read the signature of a request. Raises Refused when there is none, several, or one that cannot be read."""
    if not request.path.startswith("/") or "#" in request.path + request.query:
        raise Refused("InvalidURI", "The address is not a path that AWS serves.")
    query = parse_qs(request.query, keep_blank_values=True)
    authorizations = [value for name, value in request.headers if name == "authorization"]
    signatures = [*authorizations, *query.get("X-Amz-Signature", ()), *query.get("Signature", ())]
    if not signatures:
        raise Refused(
            "MissingAuthenticationToken",
            "The request is not signed: `set -a; . .local/env; set +a` gives AWS tools the key of this stack.",
        )
    if len(signatures) > 1:
        raise Refused("InvalidRequest", "The request has more than one signature: send one.")
    try:
        if authorizations:
            return _header_claim(request, authorizations[0])
        if "X-Amz-Signature" in query:
            return _query_claim(request, {name: values[0] for name, values in query.items() if len(values) == 1})
        return _version_2_claim(request, query)
    except (KeyError, ValueError) as error:
        raise Refused("IncompleteSignature", "The signature lacks a part, or has one that cannot be read.") from error


@dataclass(frozen=True)
class Version4:
    """Signature Version 4. Only presigned addresses have `expires`, in seconds after `timestamp`."""

    request: Request
    key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str
    expires: int | None = None

    def __post_init__(self) -> None:
        present = {name for name, _value in self.request.headers}
        needed = {"host"} | {name for name in present if name.startswith("x-amz-")}
        if unsigned := sorted(needed.difference(self.signed_headers)):
            raise Refused("AccessDenied", f"Some headers are not signed: sign {', '.join(unsigned)}.")
        if not self.timestamp.startswith(self.date):
            raise Refused(
                "SignatureDoesNotMatch", "The credential and the request have different dates: sign it again."
            )
        payload = self.request.header("x-amz-content-sha256")
        if payload is None or SHA256.fullmatch(payload) or (payload in UNSIGNED and self.service == "s3"):
            return
        raise Refused(
            "NotImplemented",
            f"A body sent as {payload[:60]} is not supported: sign its SHA-256, or UNSIGNED-PAYLOAD for S3.",
        )

    @property
    def payload(self) -> str | None:
        declared = self.request.header("x-amz-content-sha256")
        presigned = self.expires is not None and self.service == "s3"
        return declared or ("UNSIGNED-PAYLOAD" if presigned else None)

    def check_time(self, now: float) -> None:
        """Accept a header for 15 minutes, and a presigned address until it expires."""
        made = datetime.strptime(self.timestamp, auth.SIGV4_TIMESTAMP).replace(tzinfo=UTC).timestamp()
        if made > now + CLOCK_SKEW_SECONDS:
            raise Refused("RequestTimeTooSkewed", "The request was signed in the future: set the clock.")
        if self.expires is None and made < now - CLOCK_SKEW_SECONDS:
            raise Refused("RequestTimeTooSkewed", "The request was signed over 15 minutes ago: sign it again.")
        if self.expires is not None and made + self.expires < now:
            raise Refused("AccessDenied", "Request has expired: make a new presigned address.")

    def matches(self, credentials: Credentials, payload: str) -> bool:
        make = _S3Signature if self.service == "s3" else _Signature
        signing = make(_for_botocore(credentials), self.service, self.region)
        pairs = self.request.query.split("&")
        query = "&".join(pair for pair in pairs if unquote_plus(pair.partition("=")[0]) != "X-Amz-Signature")
        signed = _botocore_request(self.request, query, self.signed_headers)
        signed.context |= {"timestamp": self.timestamp, "payload": payload}
        text = signing.string_to_sign(signed, signing.canonical_request(signed))
        return _same(signing.signature(text, signed), self.signature)


@dataclass(frozen=True)
class Version2:
    """Signature Version 2 in the query of a presigned address of S3; it does not cover the body."""

    request: Request
    key_id: str
    signature: str
    expires: int
    service: str = "s3"

    @property
    def payload(self) -> str:
        return "UNSIGNED-PAYLOAD"

    def check_time(self, now: float) -> None:
        if self.expires < now:
            raise Refused("AccessDenied", "Request has expired: make a new presigned address.")

    def matches(self, credentials: Credentials, payload: str) -> bool:
        signing = _Version2Signature(_for_botocore(credentials), self.expires)
        signed = _botocore_request(self.request, self.request.query)
        return _same(signing.get_signature(signed.method, urlsplit(signed.url), signed.headers), self.signature)


def _header_claim(request: Request, authorization: str) -> Version4:
    algorithm, _, rest = authorization.partition(" ")
    _check_algorithm(algorithm)
    parts = {name: value for name, _, value in (part.strip().partition("=") for part in rest.split(","))}
    timestamp = request.header("x-amz-date")
    if timestamp is None:
        raise Refused("IncompleteSignature", "The header X-Amz-Date is missing.")
    names = tuple(parts["SignedHeaders"].split(";"))
    return Version4(request, *_scope(parts["Credential"]), names, parts["Signature"], _timestamp(timestamp))


def _query_claim(request: Request, query: Mapping[str, str]) -> Version4:
    _check_algorithm(query["X-Amz-Algorithm"])
    expires = int(query["X-Amz-Expires"])
    if not 0 < expires <= LONGEST_PRESIGNED_SECONDS:
        raise Refused("AuthorizationQueryParametersError", "X-Amz-Expires must be from 1 to 604800 seconds.")
    names = tuple(query["X-Amz-SignedHeaders"].split(";"))
    scope, signature = _scope(query["X-Amz-Credential"]), query["X-Amz-Signature"]
    return Version4(request, *scope, names, signature, _timestamp(query["X-Amz-Date"]), expires)


def _version_2_claim(request: Request, query: Mapping[str, list[str]]) -> Version2:
    # Version 2 signs only a few parameters; with others, a signed address would ask for something else.
    for name in query.keys() - _OF_VERSION_2 - set(auth.HmacV1Auth.QSAOfInterest):
        if query[name] != [request.header(name.lower())]:
            raise Refused("AccessDenied", f"Signature Version 2 does not sign {name}: use Version 4.")
    (key_id,), (signature,), (expires,) = (query[name] for name in ("AWSAccessKeyId", "Signature", "Expires"))
    return Version2(request, key_id, signature, int(expires))


def _check_algorithm(algorithm: str) -> None:
    if algorithm != _ALGORITHM:
        raise Refused("IncompleteSignature", f"The algorithm must be {_ALGORITHM}.")


def _scope(credential: str) -> tuple[str, str, str, str]:
    """Split a Credential into (key id, date, region, service). Raises ValueError."""
    key_id, date, region, service, ending = credential.split("/")
    if ending != "aws4_request" or not re.fullmatch(r"\d{8}", date):
        raise ValueError(credential)
    return key_id, date, region, service


def _timestamp(text: str) -> str:
    """Check a time in AWS's format. Raises ValueError for any other format."""
    return datetime.strptime(text, auth.SIGV4_TIMESTAMP).strftime(auth.SIGV4_TIMESTAMP)


class _AsReceived:
    """Take from the request what botocore would choose when it signs."""

    def headers_to_sign(self, request: Any) -> Any:
        return request.headers

    def payload(self, request: Any) -> str:
        return str(request.context["payload"])


class _Signature(_AsReceived, auth.SigV4Auth): ...


class _S3Signature(_AsReceived, auth.S3SigV4Auth): ...


class _Version2Signature(auth.HmacV1QueryAuth):
    def __init__(self, credentials: SigningCredentials, expires: int) -> None:
        super().__init__(credentials)
        self._ends = str(expires)

    def _get_date(self) -> str:
        return self._ends


def _for_botocore(credentials: Credentials) -> SigningCredentials:
    return SigningCredentials(credentials.access_key_id, credentials.secret_access_key)


def _botocore_request(request: Request, query: str, names: tuple[str, ...] | None = None) -> Any:
    """Make a request of botocore with the named headers, or with all."""
    url = f"http://{request.header('host')}{request.path}" + (f"?{query}" if query else "")
    made: Any = AWSRequest(method=request.method, url=url)
    for name, value in request.headers:
        if names is None or name in names:
            made.headers[name] = value
    return made


def _same(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode())
