"""Data sets: what comes out of each source, and the error that names the place for each way to be wrong."""

import datetime
import gzip
import http.server
import io
import ipaddress
import re
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import numpy as np
import pytest

from mlops_data import files, formats, tables
from mlops_data.errors import DataError
from trainer import data
from trainer.data import npz as npz_file
from trainer.data import sources
from trainer.data.digits import interpolation
from trainer.errors import Unreachable


def idx(array: np.ndarray, magic: int | None = None) -> bytes:
    kind = magic or (2051 if array.ndim == 3 else 2049)
    return struct.pack(f">{1 + array.ndim}I", kind, *array.shape) + array.astype(np.uint8).tobytes()


def mnist_files(rows: int = 20) -> dict[str, bytes]:
    """A small MNIST, in the names and the format of the real one."""
    generator = np.random.default_rng(0)
    files = {}
    for part, count in (("train", rows), ("t10k", rows // 2)):
        files[f"{part}-images-idx3-ubyte"] = idx(generator.integers(0, 256, (count, 28, 28)))
        files[f"{part}-labels-idx1-ubyte"] = idx(np.arange(count) % 10)
    return files


@pytest.fixture
def mnist_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "mnist"
    folder.mkdir()
    for name, content in mnist_files().items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content))
    monkeypatch.setenv("MNIST_DIR", str(folder))
    return folder


def npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def of_file(name: str, content: bytes) -> data.Dataset:
    reader: Callable[[str, bytes], data.Dataset] = tables.read if ".csv" in name else npz_file.read
    return reader(name, content)


# Digits


def test_digits_are_784_pixels_from_0_to_1_with_a_fixed_part_held_out(digits: data.Dataset):
    assert (len(digits.train), len(digits.held_out)) == (1442, 355)
    assert digits.features == 784
    assert digits.image == (28, 28)
    assert digits.labels == tuple(range(10))
    assert digits.train.inputs.dtype == np.float32
    assert digits.train.inputs.min() == 0.0
    assert digits.train.inputs.max() == 1.0
    assert data.load("digits").digest == digits.digest
    held = {row.tobytes() for row in digits.held_out.inputs}
    assert not held & {row.tobytes() for row in digits.train.inputs}
    assert np.bincount(digits.held_out.targets).min() >= 30


def test_scaling_up_keeps_a_picture_s_mass_and_place():
    stretch = interpolation(28, 8)
    np.testing.assert_allclose(stretch.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(stretch, stretch[::-1, ::-1], atol=1e-6)


# MNIST


def test_mnist_from_a_folder_gzip_or_plain(mnist_dir: Path):
    zipped = data.load("mnist")
    assert (len(zipped.train), len(zipped.held_out), zipped.image) == (20, 10, (28, 28))
    assert zipped.train.inputs.max() == 1.0
    for path in list(mnist_dir.iterdir()):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    assert data.load("mnist").digest == zipped.digest


def test_mnist_from_s3(mnist_dir: Path, aws: str, monkeypatch: pytest.MonkeyPatch):
    local = data.load("mnist").digest
    for path in mnist_dir.iterdir():
        boto3.client("s3").upload_file(str(path), "artifacts", f"elsewhere/{path.name}")
    monkeypatch.setenv("MNIST_DIR", "s3://artifacts/elsewhere")
    assert data.load("mnist").digest == local


def test_mnist_without_its_place_says_which_variable(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MNIST_DIR", raising=False)
    with pytest.raises(DataError, match="MNIST_DIR is not set"):
        data.load("mnist")


@pytest.mark.parametrize(
    ("name", "spoil", "reason"),
    [
        ("train-images-idx3-ubyte", lambda _: idx(np.zeros((3, 4, 4)), 2049), "magic number is 2049.*2051"),
        ("train-labels-idx1-ubyte", lambda _: idx(np.zeros(20), 7), "magic number is 7.*2049"),
        ("t10k-labels-idx1-ubyte", lambda _: idx(np.zeros(9)), "10 images.*9 labels"),
        ("train-images-idx3-ubyte", lambda content: content[:-1], "the header says 20 images of 28x28"),
        ("train-images-idx3-ubyte", lambda _: b"\0\0", "only 2 bytes"),
    ],
)
def test_a_spoilt_idx_file_is_named(mnist_dir: Path, name: str, spoil: Callable[[bytes], bytes], reason: str):
    path = mnist_dir / f"{name}.gz"
    path.write_bytes(gzip.compress(spoil(gzip.decompress(path.read_bytes()))))
    with pytest.raises(DataError, match=reason) as caught:
        data.load("mnist")
    assert name in str(caught.value)


def test_a_truncated_gzip_is_named(mnist_dir: Path):
    path = mnist_dir / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte: the gzip file is truncated"):
        data.load("mnist")


def test_a_missing_file_is_named(mnist_dir: Path):
    (mnist_dir / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte"):
        data.load("mnist")


# npz and CSV


def test_npz_of_vectors_is_split_by_class_the_same_way_each_time(flowers: data.Dataset):
    assert flowers.labels == ("ash", "beech", "cedar")
    assert (len(flowers.train), len(flowers.held_out)) == (120, 30)
    assert np.bincount(flowers.held_out.targets).tolist() == [10, 10, 10]
    assert flowers.image is None


def test_npz_with_its_own_test_rows_and_images_of_bytes():
    images = np.arange(2 * 8 * 8, dtype=np.uint8).reshape(2, 8, 8)
    labels = np.array([3, 5])
    dataset = of_file("a.npz", npz(x_train=images, y_train=labels, x_test=images[::-1], y_test=labels[::-1]))
    assert dataset.image == (8, 8)
    assert dataset.labels == (3, 5)
    assert dataset.train.inputs[1, -1] == np.float32(127 / 255)
    assert dataset.held_out.targets.tolist() == [1, 0]


X, Y = np.arange(40, dtype=np.float32).reshape(20, 2), np.arange(20) % 2


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"a": X}, "has a; expected x and y"),
        ({"x": X, "y": Y[:-1]}, "20 rows, but 19 labels"),
        ({"x": X, "y": Y.astype(float)}, "y is float64"),
        ({"x": X.astype(str), "y": Y}, "x has the type <U"),
        ({"x": X[0], "y": Y}, r"shape \(2,\)"),
        ({"x": np.where(X == 7, np.nan, X), "y": Y}, r"x, row 4, column 2: nan is not a finite number"),
        # Row 10 is the second one that is held out, row 16 the fourteenth of those that are trained on.
        ({"x": np.where(X == 19, np.inf, X), "y": Y}, r"x, row 10, column 2: inf is not a finite number"),
        ({"x": np.where(X == 30, -np.inf, X), "y": Y}, r"x, row 16, column 1: -inf is not a finite number"),
        (
            {"x": np.where(X == 30, 1e39, X.astype(float)), "y": Y},
            r"x, row 16, column 1: 1e\+39 is not a finite number",
        ),
        ({"inputs": np.where(X == 30, np.nan, X), "labels": Y}, r"inputs, row 16, column 1"),
        ({"x_train": X, "y_train": Y, "x_test": np.where(X == 8, np.nan, X), "y_test": Y}, r"x_test, row 5, column 1"),
        ({"x": np.where(X == 38, np.nan, X).reshape(20, 2, 1), "y": Y}, r"x, row 20, column 1: nan"),
        ({"x": X, "y": np.zeros(20, int)}, "all rows have the class 0"),
        ({"x": X[:4], "y": Y[:4]}, "no class has 5 rows"),
        ({"x_train": X, "y_train": Y, "x_test": X}, "one of x_test and y_test is missing"),
        ({"x_train": X, "y_train": Y, "x_test": X[:, :1], "y_test": Y}, "2 features to train on, 1 held out"),
        (
            {"x_train": X, "y_train": Y, "x_test": X, "y_test": Y + 1},
            "label 2 is in the held-out rows, but not in the training rows",
        ),
        ({"x_train": X, "y_train": Y, "x_test": X[:0], "y_test": Y[:0]}, "no held-out rows"),
        ({"x": np.zeros((6000, 1)), "y": (np.arange(6000) // 5).astype(str)}, "1200 classes, and at most 1000"),
        ({"x": np.zeros((6000, 1)), "y": np.arange(6000) // 5}, "1200 different numbers are a quantity"),
        ({"x": np.array([{}], object), "y": Y[:1]}, "x has Python objects"),
    ],
)
def test_a_spoilt_npz_names_what_is_wrong(arrays: dict[str, np.ndarray], reason: str):
    with pytest.raises(DataError, match=reason) as caught:
        of_file("set.npz", npz(**arrays))
    assert "set.npz" in str(caught.value)


def test_not_an_npz_at_all():
    with pytest.raises(DataError, match=r"set\.npz: cannot be read as an npz"):
        of_file("set.npz", b"PK\x03\x04 no")


def table(*lines: str) -> bytes:
    return "\n".join(("width,height,label", *lines)).encode()


GOOD = [f"{row}.5,{-row},{'ab'[row % 2]}" for row in range(10)]


def test_csv_with_text_labels_quotes_blank_lines_and_gzip():
    dataset = of_file("set.csv", table(*GOOD, "", '"11","2","a"'))
    assert dataset.labels == ("a", "b")
    assert dataset.features == 2
    assert dataset.validation is not None
    assert (len(dataset.train), len(dataset.validation), len(dataset.held_out)) == (7, 2, 2)
    assert of_file("set.csv.gz", gzip.compress(table(*GOOD, "", '"11","2","a"'))).digest == dataset.digest


def test_csv_of_whole_number_labels_keeps_them_numbers():
    assert of_file("set.csv", table(*[f"{row}.5,0,{row % 2 + 7}" for row in range(10)])).labels == (7, 8)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            table(*GOOD, "1,oops,a"),
            "line 12, column 'height': 'oops' is not a number; correct it, remove the row, or set",
        ),
        (table(*GOOD, "1,a"), "line 12 has 2 columns, the header has 3; add or remove cells"),
        # A fifth of the rows before it is held out, so that it is not the same one of those that are trained on.
        (table(*GOOD * 3, "1,oops,a", *GOOD), r"line 32, column 'height': 'oops' is not a number"),
        (table(*GOOD * 3, "", '"-inf","2","a"', *GOOD), "line 33, column 'width': '-inf' is not a finite number"),
        (table(*GOOD, "1e39,2,a"), "line 12, column 'width': '1e39' is not a finite number"),
        (table(), "no rows below the header; add rows"),
        (b"width,height\n1,2\n", r"no column named label, target, class, y in the header \(width, height\)"),
        (b"label\n1\n", "only a label"),
        (b"", "line 1: the file is empty; add a header with the columns' names, and rows"),
        (b"\xff\xfe", "line 1: the file is empty"),
        (b"a,label\n\x81,1\n", r"line 2: not UTF-8 text \(byte 8 is 0x81\); save it as UTF-8"),
        (gzip.compress(table(*GOOD), mtime=0)[:-9], "truncated"),
    ],
)
def test_a_spoilt_csv_names_the_row_and_the_column(content: bytes, reason: str):
    with pytest.raises(DataError, match=reason) as caught:
        of_file("set.csv", content)
    assert "set.csv" in str(caught.value)


# Addresses


def test_only_known_formats():
    for address in ("https://example.com/data.txt", "s3://artifacts/set.parquet.gz", "s3://artifacts/set.npz.gz"):
        with pytest.raises(DataError, match=r"none of \.csv, .* \(also as \.gz or \.zst\), \.parquet and \.npz"):
            data.load(address)
    with pytest.raises(DataError, match=r"spreadsheets are not read; save the sheet as CSV"):
        data.load("https://example.com/data.xlsx")
    with pytest.raises(DataError, match=r"only an s3:// prefix can end in /"):
        data.load("https://example.com/data/")


def test_what_is_read_is_what_the_api_and_the_upload_say():
    from mlops.domain.training_request import TrainRequest
    from mlops_client.operator.datasets import FORMATS
    from trainer.data import loading

    packed = {f"{suffix}{packing}" for suffix in formats.PACKABLE for packing in formats.PACKED}
    read = {*formats.TABLES, loading.NPZ}
    assert set(FORMATS) == read | packed
    described = TrainRequest.model_fields["dataset"].description or ""
    promised = set(re.findall(r"\.[a-z]{2,}", described))
    assert promised >= {".csv", ".npz"}
    assert promised <= {*read, *formats.PACKED}


@pytest.mark.parametrize("address", ["http://127.0.0.1/x.npz", "file:///etc/passwd.csv", "/etc/passwd.csv"])
def test_a_request_reaches_no_other_place(address: str):
    with pytest.raises(DataError):
        data.load(address)


def test_s3_reads_allowed_buckets_only(aws: str, monkeypatch: pytest.MonkeyPatch):
    client = boto3.client("s3")
    client.create_bucket(Bucket="theirs")
    for bucket in ("artifacts", "theirs"):
        client.put_object(Bucket=bucket, Key="datasets/set.csv", Body=table(*GOOD))
    own = data.load("s3://artifacts/datasets/set.csv")
    with pytest.raises(DataError, match=r"must not be read from the bucket 'theirs'.*DatasetBuckets"):
        data.load("s3://theirs/datasets/set.csv")
    monkeypatch.setenv("DATASET_BUCKETS", "others, theirs")
    assert data.load("s3://theirs/datasets/set.csv").digest == own.digest
    with pytest.raises(DataError, match="no such object"):
        data.load("s3://artifacts/datasets/gone.csv")


def test_an_address_that_stands_for_the_newest_file_is_looked_up_when_the_run_starts(aws: str):
    client = boto3.client("s3")
    latest, addresses = "s3://artifacts/datasets/set/latest", []
    for number, rows in enumerate((GOOD, GOOD[::-1])):
        addresses.append(f"s3://artifacts/datasets/{number}/my set.csv")
        client.put_object(Bucket="artifacts", Key=f"datasets/{number}/my set.csv", Body=table(*rows))
        client.put_object(Bucket="artifacts", Key="datasets/set/latest", Body=f"{addresses[-1]}\n".encode())
        found = data.load(latest)
        assert (found.name, found.digest) == (addresses[-1], data.load(addresses[-1]).digest)
    assert data.load(addresses[0]).digest != data.load(latest).digest


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"s3://theirs/datasets/set.csv",
        b"s3://artifacts",
        b"s3://artifacts-of-others/set.csv",
        b"https://example.com/set.csv",
        b"/etc/passwd.csv",
        b"s3://artifacts/datasets/set/latest",
        b"s3://artifacts/a\x1b[31m.csv",
        b"s3://artifacts/a.csv\ns3://artifacts/b.csv",
        b"s3://artifacts/" + b"a" * 2000 + b".csv",
    ],
)
def test_an_address_of_the_newest_file_leads_nowhere_else(aws: str, monkeypatch: pytest.MonkeyPatch, content: bytes):
    monkeypatch.setenv("DATASET_BUCKETS", "theirs")
    boto3.client("s3").put_object(Bucket="artifacts", Key="datasets/set/latest", Body=content)
    with pytest.raises(DataError, match=r"^s3://artifacts/datasets/set/latest does not hold the address of a file"):
        data.load("s3://artifacts/datasets/set/latest")


def test_the_newest_file_of_a_data_set_that_is_not_there_is_named(aws: str):
    with pytest.raises(DataError, match="datasets/none/latest: there is no such object"):
        data.load("s3://artifacts/datasets/none/latest")
    with pytest.raises(DataError, match="data sets must not be read from the bucket"):
        data.load("s3://theirs/datasets/set/latest")
    with pytest.raises(DataError, match="its format is not known"):
        data.load("https://example.com/latest")


def test_s3_that_does_not_answer_is_named(aws: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(sources, "ATTEMPTS", 1)
    with pytest.raises(Unreachable, match=r"s3://artifacts/x\.csv"):
        data.load("s3://artifacts/x.csv")


@pytest.fixture
def https_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A TLS server of this test's own authority; /redirect/<scheme> leads to the data set by that scheme."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    asked: dict[str, int] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked[self.path] = asked.get(self.path, 0) + 1
            if self.path.startswith("/redirect/"):
                scheme = self.path.split("/")[2]
                self.send_response(302)
                self.send_header("Location", f"{scheme}://127.0.0.1:{self.server.server_port}/set.csv")
                self.end_headers()
            elif self.path == "/flaky/set.csv" and asked[self.path] == 1:
                self.send_error(503)
            elif self.path.endswith("/set.csv"):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(table(*GOOD))
            else:
                self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    monkeypatch.setattr(sources, "RETRY_SECONDS", 0.01)
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_https_follows_to_https_and_never_to_http(https_server: str):
    straight = data.load(f"{https_server}/set.csv")
    assert data.load(f"{https_server}/redirect/https/set.csv").digest == straight.digest
    with pytest.raises(DataError, match="redirects to http://, and only https is allowed"):
        data.load(f"{https_server}/redirect/http/set.csv")


def test_https_is_tried_again_while_the_server_is_away(https_server: str):
    assert len(data.load(f"{https_server}/flaky/set.csv").train) == 6
    with pytest.raises(DataError, match="the server answered 404"):
        data.load(f"{https_server}/gone.csv")


def test_https_checks_the_certificate(https_server: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setattr(sources, "ATTEMPTS", 1)
    with pytest.raises(Unreachable, match="SSLError"):
        data.load(f"{https_server}/set.csv")


def test_a_data_set_has_a_largest_size(https_server: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(files, "MAX_BYTES", 50)
    with pytest.raises(DataError, match="more than the 50 that a data set may have"):
        data.load(f"{https_server}/set.csv")
