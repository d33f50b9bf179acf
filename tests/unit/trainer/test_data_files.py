"""Files as people have them: each is read as it is meant, or refused with the place and the remedy."""

import errno
import gzip
import io
import os
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from numpy.lib import format as npy

from mlops_data import tables, unpacking
from mlops_data.errors import DataError
from mlops_data.tables import database, text
from trainer.data import Dataset
from trainer.data import npz as npz_file

ROWS = 10


def table(*labels: str, header: str = "a,b,label", end: str = "\n") -> bytes:
    """Ten rows of each label, as a CSV file."""
    rows = [f"{row}.5,{-row},{label}" for label in labels for row in range(ROWS)]
    return end.join([header, *rows, ""]).encode()


def npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def read(content: bytes) -> Dataset:
    return tables.read("set.csv", content)


# Labels stay as they are written


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (["0", "1"], (0, 1)),
        (["-1", "1"], (-1, 1)),
        (["10", "9"], (9, 10)),
        (["-9223372036854775808", "9223372036854775807"], (-(2**63), 2**63 - 1)),
        (["9223372036854775808", "1"], ("1", "9223372036854775808")),
        (["12345678901234567890", "12345678901234567891"], ("12345678901234567890", "12345678901234567891")),
        (["007", "7"], ("007", "7")),
        (["01", "1", "002"], ("002", "01", "1")),
        (["-0", "0"], ("-0", "0")),
        (["+1", "1"], ("+1", "1")),
        (["1_000", "2"], ("1_000", "2")),
        (["²", "³"], ("²", "³")),
        (["١", "1"], ("1", "١")),
        (["--5", "--6"], ("--5", "--6")),
        (["1.0", "2.0"], ("1.0", "2.0")),
        (["True", "False"], ("False", "True")),
        (["<=50K", ">50K"], ("<=50K", ">50K")),
        (["R&D", "10%", "C++"], ("10%", "C++", "R&D")),
        (["L" * 300, "M" * 300], ("L" * 300, "M" * 300)),
    ],
)
def test_labels_of_a_csv_file_stay_as_they_are_written(written: list[str], kept: tuple[int | str, ...]):
    dataset = read(table(*written))
    assert dataset.labels == kept
    assert [type(label) for label in dataset.labels] == [type(label) for label in kept]
    assert np.bincount(dataset.train.targets).tolist() == [7] * len(kept), "no two labels are merged"
    assert np.bincount(dataset.held_out.targets).tolist() == [2] * len(kept)


X, Y = np.arange(40, dtype=np.float32).reshape(20, 2), np.arange(20) % 2


@pytest.mark.parametrize(
    ("labels", "kept"),
    [
        (Y.astype(np.uint8), (0, 1)),
        (Y.astype(">i4") - 1, (-1, 0)),
        (Y.astype(bool), ("False", "True")),
        (np.array(["é", "b"])[Y], ("b", "é")),
        (Y.astype(np.uint64), (0, 1)),
    ],
)
def test_labels_of_an_npz_file_are_text_or_integers(labels: np.ndarray, kept: tuple[int | str, ...]):
    dataset = npz_file.read("set.npz", npz(x=X, y=labels))
    assert dataset.labels == kept
    assert {type(label) for label in dataset.labels} <= {int, str}


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (Y.astype(np.uint64) + np.uint64(2**63), "y has 9223372036854775809, which exceeds 64 bits; .*as text"),
        (np.array(["\ud800", "b"])[Y], "lone surrogate"),
        (Y.astype(float), r"y is float64 of shape \(20,\); expected one int or text label per row"),
        (Y[:, None], r"y is int64 of shape \(20, 1\).*y\.astype\(int\)\.ravel\(\)"),
    ],
)
def test_labels_that_no_answer_can_hold_are_refused(labels: np.ndarray, reason: str):
    with pytest.raises(DataError, match=reason):
        npz_file.read("set.npz", npz(x=X, y=labels))


# CSV files


@pytest.mark.parametrize(
    "content",
    [
        table("x", "y", end="\r\n"),
        table("x", "y", end="\r"),
        b"\xef\xbb\xbf" + table("x", "y"),
        table("x", "y") + b"   \n",
        table("x", "y") + b"\n\n",
        table("x", "y") + b",,\n , ,\n",
        table("x", "y").replace(b"\n", b"\n,,\n", 9),
        table("x", "y", header='"a","b","label"'),
        gzip.compress(table("x", "y")),
    ],
    ids=["CRLF", "CR", "byte order mark", "blanks", "empty lines", "empty cells", "empty rows", "quotes", "gzip"],
)
def test_the_same_rows_in_another_dress_are_the_same_data(content: bytes):
    assert read(content).digest == read(table("x", "y")).digest


GOOD = table("x", "y")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (table("x", "y", header="a,a,label"), "the column 'a' is twice in the header"),
        (table("x", "y", header=",,label"), "a column without a name is twice"),
        (table("x", "y", header="a,label,label"), "the column 'label' is twice"),
        (GOOD + b"1_000,2,x\n", "line 22, column 'a': '1_000' is not a number"),
        (GOOD + b"1\x00,2,x\n", r"line 22, column 'a': '1\\x00' is not a number"),
        (GOOD + b"1,2,x\x00\n", "contains a NUL character"),
        (GOOD + b'"1,234.5",2,x\n', "line 22, column 'a': '1,234.5' is not a number"),
        (GOOD + b'1,2,"x\n' + GOOD, "line 22: unexpected end of data; is a quotation mark missing"),
        (GOOD + b'1,2,"x\n' + GOOD * 1000, r"line 22: unexpected end of data; is a quotation mark"),
        (GOOD + b'1,2,"x"y\n', "line 22: .*is a quotation mark missing, or one too many"),
        (GOOD + b"1,2,\x8d\n", r"line 22: not UTF-8 text \(byte 192 is 0x8d\); save it as UTF-8"),
        (GOOD.decode().encode("utf-16")[:-1], r"line 21: not UTF-16LE text \(byte .*\); save it as UTF-8"),
        (table("x", "y", header="a;b;label"), "line 2 has 1 column, the header has 3"),
        (table("x", "y", header="a\tb\tlabel"), "line 2 has 1 column, the header has 3"),
        (GOOD + b"\n\n1,2\n", "line 24 has 2 columns, the header has 3"),
        (GOOD.replace(b"\n", b"\r\n") + b"\r\n\r\n1,2,x,4\r\n", "line 24 has 4 columns, the header has 3"),
        (GOOD + b'\n4,5;"-4";no\n', "line 23 has 2 columns, the header has 3"),
        (b"a,b,label\n", "no rows below the header"),
    ],
)
def test_a_csv_file_that_cannot_be_read_says_where_and_what_to_do(content: bytes, reason: str):
    with pytest.raises(DataError, match=rf"^set\.csv: .*{reason}"):
        read(content)


def test_the_byte_of_a_wrong_character_is_that_of_the_whole_file():
    content = table(*map(str, range(500)))
    with pytest.raises(DataError, match=rf"line 5002: .*\(byte {len(content) + 4} is 0x8d\)"):
        read(content + b"1,2,\x8d\n")


def test_a_row_is_named_by_the_line_on_which_it_begins():
    with pytest.raises(DataError, match="line 22, column 'a': 'oops' is not a number"):
        read(GOOD + b'oops,2,"two\nlines"\n')


def test_what_duckdb_cannot_do_is_a_reason_for_people(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(database, "MOST_MEMORY", 1024)
    monkeypatch.setattr(database, "LEAST_MEMORY", 1024)
    with pytest.raises(DataError, match=r"^set\.csv: the table cannot be read .*enough memory and disk"):
        read(GOOD)


def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(text, "write_rows", full)
    with pytest.raises(
        DataError, match=r"^set\.csv: cannot be unpacked in .*No space left on device.*free some space there"
    ):
        read(GOOD)


def test_nothing_is_left_in_the_folder_of_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    read(GOOD)
    with pytest.raises(DataError):
        read(GOOD + b"1\n")
    assert list(tmp_path.iterdir()) == []


# npz files


def plain_npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npz_of(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def header(shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    npy.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (plain_npy(X), "a single .npy array; save it with numpy.savez"),
        (npz_of(x=header((10**12, 4)) + bytes(64), y=plain_npy(Y)), "header of x says .*but 64 bytes follow it"),
        (npz_of(x=header((2, 2)) + bytes(64), y=plain_npy(Y)), r"header of x says .*\(32 bytes\), but 64 bytes"),
        (npz_of(x=b"no header at all", y=plain_npy(Y)), "cannot be read as an npz file of plain arrays"),
        (npz_of(x=plain_npy(X)[:50], y=plain_npy(Y)), "cannot be read as an npz file of plain arrays"),
        (npz(x=X, y=Y)[:-30], "cannot be read as an npz file of plain arrays"),
        (npz(x=X.astype(complex), y=Y), "x has the type complex128, not numbers"),
        (npz(x=X[:0], y=Y[:0]), "no rows"),
    ],
)
def test_an_npz_file_that_cannot_be_read_says_what_is_wrong(content: bytes, reason: str):
    with pytest.raises(DataError, match=rf"^set\.npz: .*{reason}"):
        npz_file.read("set.npz", content)


def test_other_arrays_in_the_file_are_not_read():
    plain = npz_file.read("set.npz", npz(x=X, y=Y))
    assert npz_file.read("set.npz", npz(x=X, y=Y, notes=np.array([{"a": 1}], object))).digest == plain.digest


@pytest.mark.parametrize("order", [X.astype(">f8"), np.asfortranarray(X), X.astype(np.float16), X.astype(np.int64)])
def test_the_order_of_bytes_and_the_type_of_numbers_do_not_matter(order: np.ndarray):
    assert npz_file.read("set.npz", npz(x=order, y=Y)).digest == npz_file.read("set.npz", npz(x=X, y=Y)).digest


# The scale of images: predict is asked with pixels from 0 to 1

PICTURES = np.linspace(0, 1, 20 * 64).reshape(20, 8, 8)


@pytest.mark.parametrize(
    ("images", "brightest"),
    [
        ((PICTURES * 255).astype(np.uint8), 1.0),
        (PICTURES.astype(np.float32), 1.0),
        (PICTURES, 1.0),
        (PICTURES > 0.5, 1.0),
        ((PICTURES > 0.5).astype(np.int64), 1.0),
        (PICTURES / 10, 0.1),
    ],
    ids=["bytes", "float32", "float64", "bool", "bits as int64", "dark floats"],
)
def test_images_are_trained_on_from_0_to_1(images: np.ndarray, brightest: float):
    dataset = npz_file.read("set.npz", npz(x=images, y=Y))
    pixels = np.concatenate([dataset.train.inputs, dataset.held_out.inputs])
    assert dataset.image == (8, 8)
    assert pixels.min() == 0
    assert pixels.max() == pytest.approx(brightest)


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        (PICTURES * 255, r"float64 with pixels from 0 to 255; .*x\.astype\('float32'\) / 255"),
        ((PICTURES * 255).astype(np.int64), r"int64 with pixels from 0 to 255; .*/ 255"),
        ((PICTURES * 16).astype(np.int64), r"int64 with pixels from 0 to 16; .*/ 16"),
        ((PICTURES * 16).astype(np.uint8), r"uint8, whose largest value is 255, but no pixel is above 16.*/ 16"),
        ((PICTURES * 65535).astype(np.uint16), r"uint16 with pixels from 0 to 65535; .*/ 65535"),
        (((PICTURES - 0.5) * 255).astype(np.int8), "int8 with pixels from -127 to 127; .*before they were centred"),
        (PICTURES * 2 - 1, "pixels from -1 to 1; .*before they were centred"),
    ],
)
def test_images_of_another_scale_are_refused_with_the_division(images: np.ndarray, reason: str):
    with pytest.raises(DataError, match=rf"x (is|has images of) .*{reason}"):
        npz_file.read("set.npz", npz(x=images, y=Y))


def test_held_out_images_are_of_the_same_scale_and_size():
    with pytest.raises(DataError, match="x_test has images of float64 with pixels from 0 to 255"):
        npz_file.read("set.npz", npz(x_train=PICTURES, y_train=Y, x_test=PICTURES * 255, y_test=Y))
    with pytest.raises(DataError, match=r"\(20, 8, 8\), x_test \(20, 4, 16\); both must be .*images of the same size"):
        npz_file.read("set.npz", npz(x_train=PICTURES, y_train=Y, x_test=PICTURES.reshape(20, 4, 16), y_test=Y))


def test_vectors_keep_their_scale():
    dataset = npz_file.read("set.npz", npz(x=X * 255, y=Y))
    assert dataset.image is None
    assert max(dataset.train.inputs.max(), dataset.held_out.inputs.max()) == 39 * 255


# Small files that unpack to much

BOMB = 64 * 1024 * 1024
BOUND = 1024 * 1024


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(b"a,label\n" + b"0,0\n" * (BOMB // 4)),
        gzip.compress(b"a,label\n" + b"0" * BOMB),
        pyarrow.compress(b"a,label\n" + b"0,0\n" * (BOMB // 4), "zstd", asbytes=True),
        npz(x=np.zeros((BOMB // 8, 1)), y=Y),
        npz(x=np.zeros((BOUND // 16, 1)), y=np.zeros(BOUND // 10, np.int64)),
    ],
    ids=["rows", "one line", "zstd", "array", "two arrays"],
)
def test_a_bomb_is_refused_before_it_is_unpacked(content: bytes, monkeypatch: pytest.MonkeyPatch):
    assert len(content) < BOUND
    monkeypatch.setattr(unpacking, "MAX_UNPACKED_BYTES", BOUND)
    reader = npz_file.read if content.startswith(b"PK") else tables.read
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"unpacks to more than 1,048,576 bytes, .*give the job more memory"):
            reader("bomb", content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * BOUND


def test_the_bound_is_a_quarter_of_the_memory_and_never_below_the_file_itself(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(unpacking, "memory_limit", lambda: 4000)
    assert unpacking.limit(b"x" * 10) == 1000
    assert unpacking.limit(b"x" * 5000) == 5000
    monkeypatch.setattr(unpacking, "memory_limit", lambda: 2**40)
    assert unpacking.limit(b"x") == unpacking.MAX_UNPACKED_BYTES
