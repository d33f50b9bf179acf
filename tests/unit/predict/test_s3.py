"""The S3 reader against moto's S3, against botocore's signer, and against a server that misbehaves."""

import datetime
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials

from predict import credentials, s3

OPTIONS = {"seconds": 2.0, "max_bytes": 1000}


@pytest.fixture
def bucket(store: Any) -> Any:
    return s3.Bucket.from_environment(store.bucket)


class TestOnS3:
    def test_gets_an_object_and_its_etag(self, bucket: Any, store: Any) -> None:
        store.put("serving/a b/é+~.json", b"data")
        found = bucket.get("serving/a b/é+~.json", **OPTIONS)
        assert found.data == b"data"
        assert bucket.get("serving/a b/é+~.json", etag=found.etag, **OPTIONS) is None
        store.put("serving/a b/é+~.json", b"other")
        assert bucket.get("serving/a b/é+~.json", etag=found.etag, **OPTIONS).data == b"other"

    def test_an_object_that_is_not_there(self, bucket: Any, store: Any) -> None:
        with pytest.raises(s3.S3Missing):
            bucket.get("serving/none", **OPTIONS)
        store.put("serving/one", b"data")
        assert bucket.get("serving/one", **OPTIONS).data == b"data"

    def test_a_bucket_that_is_not_there_is_an_outage(self, bucket_name: str) -> None:
        with pytest.raises(s3.S3Unavailable):
            s3.Bucket.from_environment("no-such-bucket").get("serving/none", **OPTIONS)

    def test_an_object_that_is_too_large(self, bucket: Any, store: Any) -> None:
        store.put("large", bytes(1001))
        with pytest.raises(s3.S3TooLarge):
            bucket.get("large", **OPTIONS)
        store.put("just", bytes(1000))
        assert len(bucket.get("just", **OPTIONS).data) == 1000


@pytest.mark.parametrize("token", [None, "a-session-token"])
@pytest.mark.parametrize(
    "target",
    [
        s3.Target("/serving/digit-classifier/Production.json"),
        s3.Target("/bucket/serving/a%20b/%C3%A9.onnx"),
        s3.Target("/bucket/", "list-type=2&max-keys=1&prefix=serving%2Fm%2FProduction.json"),
    ],
)
def test_signs_as_botocore_does(monkeypatch: pytest.MonkeyPatch, token: str | None, target: s3.Target) -> None:
    moment = datetime.datetime(2026, 2, 3, 4, 5, 6, tzinfo=datetime.UTC)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *_: moment.replace(tzinfo=None))
    place = s3.Place("bucket.s3.eu-central-1.amazonaws.com", True, "/", "eu-central-1")
    signer = credentials.Credentials("AKIDEXAMPLE", "secret/+key", token)
    ours = s3.signed_headers(place, target, signer, moment.timestamp())

    url = f"https://{place.host}{target.path}?{target.query}".removesuffix("?")
    request = AWSRequest("GET", url, headers={"x-amz-content-sha256": s3.EMPTY_SHA256})
    S3SigV4Auth(BotoCredentials("AKIDEXAMPLE", "secret/+key", token), "s3", "eu-central-1").add_auth(request)
    assert ours["authorization"] == request.headers["Authorization"]
    assert ours["x-amz-date"] == request.headers["X-Amz-Date"]


@pytest.mark.parametrize(
    ("environment", "bucket", "host", "prefix", "secure"),
    [
        ({"AWS_REGION": "eu-west-1"}, "b", "b.s3.eu-west-1.amazonaws.com", "/", True),
        ({"AWS_REGION": "cn-north-1"}, "b", "b.s3.cn-north-1.amazonaws.com.cn", "/", True),
        ({"AWS_REGION": "eu-west-1"}, "a.b", "s3.eu-west-1.amazonaws.com", "/a.b/", True),
        ({"AWS_ENDPOINT_URL": "http://localhost:4566"}, "b", "localhost:4566", "/b/", False),
        ({"AWS_ENDPOINT_URL": "http://x:1", "AWS_ENDPOINT_URL_S3": "https://y/base/"}, "b", "y", "/base/b/", True),
    ],
)
def test_where_the_bucket_is(
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    bucket: str,
    host: str,
    prefix: str,
    secure: bool,
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    place = s3.Place.from_environment(bucket)
    assert (place.host, place.prefix, place.secure) == (host, prefix, secure)


class Server:
    """Answers each request on a connection with the next of `answers`: bytes, or a function of the socket."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.answers: list[bytes | Callable[[socket.socket], None]] = []
        self.requests: list[str] = []
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            while self.answers:
                request = connection.recv(65536)
                if not request:
                    return
                self.requests.append(request.decode())
                answer = self.answers.pop(0)
                try:
                    if callable(answer):
                        answer(connection)
                        return
                    connection.sendall(answer)
                except OSError:
                    return


def ok(body: bytes, length: int | None = None) -> bytes:
    return b'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: %d\r\n\r\n%s' % (
        len(body) if length is None else length,
        body,
    )


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    yield found
    found.listener.close()


@pytest.fixture
def broken(server: Server, bucket_name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.address)
    return s3.Bucket.from_environment("bucket")


class TestMisbehaviour:
    def test_a_connection_that_was_closed_between_two_requests_is_opened_again(
        self, broken: Any, server: Server
    ) -> None:
        server.answers = [ok(b"one"), lambda connection: connection.close(), ok(b"two")]
        assert broken.get("key", **OPTIONS).data == b"one"
        assert broken.get("key", **OPTIONS).data == b"two"
        assert server.connections == 2

    def test_a_connection_is_kept(self, broken: Any, server: Server) -> None:
        server.answers = [ok(b"one"), b"HTTP/1.1 304 Not Modified\r\n\r\n", ok(b"three")]
        assert broken.get("key", **OPTIONS).data == b"one"
        assert broken.get("key", etag='"e"', **OPTIONS) is None
        assert broken.get("key", **OPTIONS).data == b"three"
        assert server.connections == 1
        assert 'if-none-match: "e"' in server.requests[1]

    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param(lambda _: time.sleep(5), id="says nothing"),
            pytest.param(lambda c: (c.sendall(ok(b"", 900)), drip(c)), id="drips"),
            pytest.param(lambda c: (c.sendall(ok(b"abc", 900)), time.sleep(5)), id="stalls"),
        ],
    )
    def test_slowness_ends_at_the_time_limit(self, broken: Any, server: Server, answer: Any) -> None:
        server.answers = [answer]
        began = time.monotonic()
        with pytest.raises(s3.S3Unavailable):
            broken.get("key", seconds=0.3, max_bytes=1000)
        assert time.monotonic() - began < 1.5  # the answers themselves would take five seconds

    @pytest.mark.parametrize(
        "answer",
        [
            ok(b"abc", 900),
            b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 403 Forbidden\r\nContent-Length: 12\r\n\r\nAccessDenied",
            b"HTTP/1.1 301 Moved\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n",
            b"rubbish\r\n\r\n",
            b"",
        ],
    )
    def test_broken_answers_are_outages(self, broken: Any, server: Server, answer: bytes) -> None:
        server.answers = [lambda connection: connection.sendall(answer)] * 2
        with pytest.raises(s3.S3Unavailable):
            broken.get("key", **OPTIONS)
        server.answers = [ok(b"fine again")]
        assert broken.get("key", **OPTIONS).data == b"fine again"

    @pytest.mark.parametrize("keys", [[], ["serving/m/Production.json.bak"]])
    def test_a_403_of_an_object_that_the_list_does_not_have_means_that_it_is_missing(
        self, broken: Any, server: Server, keys: list[str]
    ) -> None:
        server.answers = [denied(), ok(listing(*keys))] * 2
        for _ in range(2):
            with pytest.raises(s3.S3Missing):
                broken.get("serving/m/Production.json", **OPTIONS)
        asked = "GET /bucket/?list-type=2&max-keys=1&prefix=serving%2Fm%2FProduction.json HTTP/1.1"
        assert [request.splitlines()[0] for request in server.requests[1::2]] == [asked, asked]

    def test_a_403_of_an_object_that_the_list_has_is_an_outage(self, broken: Any, server: Server) -> None:
        server.answers = [denied(), ok(listing("serving/m/Production.json"))]
        with pytest.raises(s3.S3Unavailable):
            broken.get("serving/m/Production.json", **OPTIONS)

    def test_nobody_listens(self, broken: Any, server: Server) -> None:
        server.listener.close()
        with pytest.raises(s3.S3Unavailable):
            broken.get("key", **OPTIONS)


def denied() -> Callable[[socket.socket], None]:
    body = b"<Error><Code>AccessDenied</Code></Error>"
    answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    return lambda connection: connection.sendall(answer)


def listing(*keys: str) -> bytes:
    entries = "".join(f"<Contents><Key>{key}</Key></Contents>" for key in keys)
    return f"<ListBucketResult>{entries}</ListBucketResult>".encode()


def drip(connection: socket.socket) -> None:
    for _ in range(50):
        time.sleep(0.1)
        connection.sendall(b"x")


class TestCredentials:
    """As a restored SnapStart environment has them: from an endpoint, and expiring."""

    @pytest.fixture
    def endpoint(self, server: Server, bucket_name: str, monkeypatch: pytest.MonkeyPatch) -> Server:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", server.address + "/v1/credentials?x=y")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "the-token")
        return server

    @staticmethod
    def document(key: str, minutes: float) -> bytes:
        expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=minutes)
        text = json.dumps(
            {"AccessKeyId": key, "SecretAccessKey": "s", "Token": "t", "Expiration": f"{expires:%Y-%m-%dT%H:%M:%SZ}"}
        )
        return ok(text.encode())

    def test_are_kept_until_shortly_before_they_expire(self, endpoint: Server) -> None:
        source = credentials.CredentialsSource()
        endpoint.answers = [self.document("first", 60)]
        assert source.get(1).access_key == "first"
        assert source.get(1).access_key == "first"
        assert "GET /v1/credentials?x=y" in endpoint.requests[0]
        assert "authorization: the-token" in endpoint.requests[0]
        source.forget()
        endpoint.answers = [self.document("second", 4)]
        assert source.get(1).access_key == "second"
        endpoint.answers = [self.document("third", 60)]
        assert source.get(1).access_key == "third"

    def test_that_still_hold_do_while_the_endpoint_fails(self, endpoint: Server) -> None:
        source = credentials.CredentialsSource()
        endpoint.answers = [self.document("first", 4)]
        assert source.get(1).access_key == "first"
        endpoint.answers = [b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"]
        assert source.get(1).access_key == "first"

    def test_the_token_can_stand_in_a_file(
        self, endpoint: Server, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "token").write_text("from-a-file\n")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))
        endpoint.answers = [self.document("first", 60)]
        credentials.CredentialsSource().get(1)
        assert "authorization: from-a-file\r\n" in endpoint.requests[0]

    @pytest.mark.parametrize("address", ["http://192.0.2.1/", "http://example.com/", "ftp://127.0.0.1/", "nonsense"])
    def test_are_not_asked_of_strangers_in_the_clear(
        self, endpoint: Server, monkeypatch: pytest.MonkeyPatch, address: str
    ) -> None:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", address)
        with pytest.raises(credentials.CredentialsUnavailable):
            credentials.CredentialsSource().get(0.2)

    @pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"AccessKeyId": "a"}', b"\xff"])
    def test_an_endpoint_that_answers_rubbish(self, endpoint: Server, body: bytes) -> None:
        endpoint.answers = [ok(body)]
        with pytest.raises(credentials.CredentialsUnavailable):
            credentials.CredentialsSource().get(1)

    def test_that_expired_early_are_asked_for_again_within_the_same_call(
        self, endpoint: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server = Server()
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.address)
        bucket = s3.Bucket.from_environment("bucket")
        endpoint.answers = [self.document("first", 60)]
        server.answers = [b"HTTP/1.1 400 Bad\r\nContent-Length: 25\r\n\r\n<Code>ExpiredToken</Code>"]

        def renew(connection: socket.socket) -> None:
            connection.sendall(ok(b"data"))

        endpoint.answers += [self.document("second", 60)]
        server.answers.append(renew)
        assert bucket.get("key", **OPTIONS).data == b"data"
        assert "Credential=first/" in server.requests[0]
        assert "Credential=second/" in server.requests[1]
        server.listener.close()

    def test_without_any_the_outage_names_none(self, bucket_name: str, monkeypatch: Any) -> None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        with pytest.raises(s3.S3Unavailable, match="CredentialsUnavailable"):
            s3.Bucket.from_environment("bucket").get("key", **OPTIONS)
