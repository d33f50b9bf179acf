"""Signatures made by botocore, as clients make them, against what the local AWS takes for right."""

import hashlib
import time
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials as SigningCredentials

from infra.local.credentials import Credentials
from infra.local.guard.signatures import Refused, Request, Verifier, read_claim

KEY = Credentials.generate()
HOST = "localhost:4566"
BODY = b'{"jobName": "a"}'
FIVE_MINUTES = 300


def as_sent(method, url, headers=()):
    parts = urlsplit(url)
    headers = {"host": parts.netloc, **{name.lower(): value for name, value in dict(headers).items()}}
    return Request(method, parts.path, parts.query, tuple(headers.items()))


def signed(path="/v1/submitjob", *, service="batch", body=BODY, key=KEY, headers=(), method="POST"):
    request = AWSRequest(method=method, url=f"http://{HOST}{path}", data=body, headers=dict(headers))
    make = S3SigV4Auth if service == "s3" else SigV4Auth
    make(SigningCredentials(key.access_key_id, key.secret_access_key), service, "us-east-1").add_auth(request)
    return as_sent(method, request.url, request.headers)


def presigned(version, operation="get_object", key=KEY, expires=FIVE_MINUTES, **more):
    s3 = boto3.client(
        "s3",
        endpoint_url=f"http://{HOST}",
        region_name="us-east-1",
        aws_access_key_id=key.access_key_id,
        aws_secret_access_key=key.secret_access_key,
        config=Config(signature_version=version),
    )
    return s3.generate_presigned_url(operation, {"Bucket": "b", "Key": "a b/ü+%", **more}, ExpiresIn=expires)


def check(request, body=b"", clock=None):
    """What the door does with a request and its body."""
    verifier = Verifier(KEY, clock) if clock else Verifier(KEY)
    claim = read_claim(request)
    verifier.check_key(claim)
    verifier.verify(claim, claim.payload or hashlib.sha256(body).hexdigest())
    return claim


def refused(request, body=b"", clock=None):
    with pytest.raises(Refused) as caught:
        check(request, body, clock)
    return caught.value.code


def changed(request, **changes):
    return Request(**({name: getattr(request, name) for name in ("method", "path", "query", "headers")} | changes))


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1/submitjob",
        "/2015-03-31/functions/arn%3Aaws%3Alambda/code",
        "/a//b/../c?x=1&b=%20&a",
        "/tags/a%2Fb?k=a+b",
    ],
)
def test_what_a_client_signs_passes(path):
    assert check(signed(path), BODY).service == "batch"


@pytest.mark.parametrize("path", ["/b/a%20b/%C3%BC", "/b//a/../c", "/b?list-type=2&prefix=a%2Fb&delimiter=", "/b?acl"])
def test_s3_paths_are_taken_as_they_are(path):
    claim = check(signed(path, service="s3", method="PUT"))
    assert claim.payload == hashlib.sha256(BODY).hexdigest()


@pytest.mark.parametrize("version", ["s3", "s3v4"])
@pytest.mark.parametrize("operation", ["get_object", "put_object", "head_object", "delete_object"])
def test_presigned_addresses_pass(version, operation):
    method = operation.partition("_")[0].upper()
    assert check(as_sent(method, presigned(version, operation))).payload == "UNSIGNED-PAYLOAD"
    assert refused(as_sent("POST", presigned(version, operation))) == "SignatureDoesNotMatch"


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_a_presigned_address_fixes_what_it_was_made_with(version):
    url = presigned(version, "put_object", ContentType="text/csv", Metadata={"a": "b"})
    headers = {"content-type": "text/csv", "x-amz-meta-a": "b"}
    check(as_sent("PUT", url, headers))
    assert refused(as_sent("PUT", url, headers | {"x-amz-meta-a": "c"})) in ("SignatureDoesNotMatch", "AccessDenied")
    assert refused(as_sent("PUT", url, headers | {"x-amz-acl": "public"})) in ("SignatureDoesNotMatch", "AccessDenied")


@pytest.mark.parametrize("version", ["s3", "s3v4"])
@pytest.mark.parametrize("more", ["&Action=CreateStack", "&acl", "&versionId=1", "&X-Amz-Target=DynamoDB.Scan"])
def test_nothing_can_be_added_to_a_presigned_address(version, more):
    assert refused(as_sent("GET", presigned(version) + more)) in ("SignatureDoesNotMatch", "AccessDenied")


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_a_presigned_address_is_of_one_object_one_key_and_one_time(version):
    request = as_sent("GET", presigned(version))
    assert refused(changed(request, path="/b/other")) == "SignatureDoesNotMatch"
    assert refused(changed(request, path=request.path + "#other")) == "InvalidURI"
    assert refused(as_sent("GET", presigned(version, key=Credentials.generate()))) == "InvalidAccessKeyId"
    later = time.time() + FIVE_MINUTES + 60
    assert refused(request, clock=lambda: later) == "AccessDenied"
    stolen = Credentials(KEY.access_key_id, "x" * 40)
    assert refused(as_sent("GET", presigned(version, key=stolen))) == "SignatureDoesNotMatch"


def test_a_presigned_address_lives_a_week_at_most():
    assert refused(as_sent("GET", presigned("s3v4", expires=604_801))) == "AuthorizationQueryParametersError"


def test_what_was_tampered_with_is_refused():
    request = signed("/v1/submitjob?a=1")
    check(request, BODY)
    assert refused(request, BODY + b" ") == "SignatureDoesNotMatch"
    assert refused(changed(request, method="GET"), BODY) == "SignatureDoesNotMatch"
    assert refused(changed(request, path="/v1/terminatejob"), BODY) == "SignatureDoesNotMatch"
    assert refused(changed(request, query="a=2"), BODY) == "SignatureDoesNotMatch"
    for name, value in (("host", "elsewhere:4566"), ("x-amz-date", "20200101T000000Z")):
        headers = tuple((each, value if each == name else old) for each, old in request.headers)
        assert refused(changed(request, headers=headers), BODY) == "SignatureDoesNotMatch"


def test_a_header_that_aws_acts_on_has_to_be_signed():
    request = signed()
    more = changed(request, headers=(*request.headers, ("x-amz-target", "AmazonSQS.SendMessage")))
    assert refused(more, BODY) == "AccessDenied"
    check(changed(request, headers=(*request.headers, ("if-none-match", "x"))), BODY)


@pytest.mark.parametrize("seconds", [-16 * 60, 16 * 60])
def test_a_signature_is_valid_for_a_quarter_of_an_hour(seconds):
    now = time.time()
    assert refused(signed(), BODY, clock=lambda: now + seconds) == "RequestTimeTooSkewed"
    check(signed(), BODY, clock=lambda: now + seconds * 14 / 16)


def test_other_keys_are_refused():
    assert refused(signed(key=Credentials("test", "test")), BODY) == "InvalidClientTokenId"
    assert refused(signed(key=Credentials("000000000000", KEY.secret_access_key)), BODY) == "InvalidClientTokenId"
    assert refused(signed(key=Credentials(KEY.access_key_id, "wrong")), BODY) == "SignatureDoesNotMatch"


def test_unsigned_bodies_are_s3s_alone():
    unsigned = {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    assert refused(signed(headers=unsigned), BODY) == "NotImplemented"
    streamed = {"x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}
    request = signed("/b/k", service="s3")
    headers = tuple({**dict(request.headers), **streamed}.items())
    assert refused(changed(request, headers=headers), BODY) == "NotImplemented"


def test_signatures_that_cannot_be_read_are_refused():
    assert refused(as_sent("GET", f"http://{HOST}/")) == "MissingAuthenticationToken"
    request = signed()
    for text in (
        "Basic dDp0",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=0",
        "",
    ):
        headers = tuple({**dict(request.headers), "authorization": text}.items())
        assert refused(changed(request, headers=headers), BODY) == "IncompleteSignature"
    for query in ("X-Amz-Signature=0", "Signature=0", "Signature=0&AWSAccessKeyId=a&Expires=x"):
        assert refused(as_sent("GET", f"http://{HOST}/b/k?{query}")) == "IncompleteSignature"
    both = changed(request, query="X-Amz-Signature=0")
    assert refused(both, BODY) == "InvalidRequest"


def test_every_part_of_the_authorization_counts():
    request = signed()
    text = dict(request.headers)["authorization"]
    for part in ("us-east-1", "batch", "host;", "aws4_request"):
        headers = tuple({**dict(request.headers), "authorization": text.replace(part, part[:-1] + "x")}.items())
        assert refused(changed(request, headers=headers), BODY)
