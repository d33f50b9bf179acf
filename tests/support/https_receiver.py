"""A receiver of webhooks: an https server on this machine, with a certificate of an authority of its own."""

import datetime
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True)
class Received:
    """A request; header names are lower-case."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """What has come, and what is answered: `answers` one after the other, and then 204."""

    port: int = 0
    authority: Path = Path()
    requests: list[Received] = field(default_factory=list)
    answers: list[int | Answer] = field(default_factory=list)

    def wait(self, count: int, seconds: float = 60) -> list[Received]:
        """Wait until so many requests have come."""
        deadline = time.monotonic() + seconds
        while len(self.requests) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(self.requests)} of {count} requests have come")
            time.sleep(0.05)
        return self.requests


@contextmanager
def receiving(folder: Path, host: str, valid_days: int = 1) -> Iterator[Receiver]:
    """Run a receiver whose certificate is of `host`, and of the authority in the file `authority` of the result."""
    authority, chain = certificates(folder, host, valid_days)
    receiver = Receiver(authority=authority)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = receiver.answers.pop(0) if receiver.answers else 204
            receiver.requests.append(Received(self.path, headers, body))
            if callable(answer):
                answer(self)
                return
            self.send_response(answer)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with serving(Handler, chain) as port:
        receiver.port = port
        yield receiver


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], chain: Path) -> Iterator[int]:
    """Serve https on a port of this machine, with the certificate and key in the file `chain`; the port."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Clients break off when they do not like the certificate, or what comes is too slow or too long."""

    server = Server(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    # The handshake is the handler's thread's, so that a client that breaks off does not end the server.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def certificates(folder: Path, host: str, valid_days: int = 1) -> tuple[Path, Path]:
    """Make an authority, and a certificate of it with its key; returns the two files."""
    now = datetime.datetime.now(datetime.UTC)
    ends = now + datetime.timedelta(days=valid_days)
    key, own_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority for tests")])
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    root = (
        _unsigned(name, name, key.public_key(), now, now + datetime.timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    leaf = (
        _unsigned(subject, name, own_key.public_key(), now - datetime.timedelta(days=3), ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    authority, chain = folder / f"{host}-authority.pem", folder / f"{host}.pem"
    authority.write_bytes(root.public_bytes(serialization.Encoding.PEM))
    private = own_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    chain.write_bytes(private + leaf.public_bytes(serialization.Encoding.PEM))
    return authority, chain


def _unsigned(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    begins: datetime.datetime,
    ends: datetime.datetime,
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key)
    numbered = builder.serial_number(x509.random_serial_number()).add_extension(identifier, critical=False)
    return numbered.not_valid_before(begins).not_valid_after(ends)
