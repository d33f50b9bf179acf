"""Data sets after some accidents: a file is read, or refused by a DataError that begins with its name."""

import gzip
import io
import zipfile
import zlib
from collections.abc import Callable

import numpy as np
import pyarrow
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlops_contract import Task
from mlops_data import tables
from mlops_data.errors import DataError
from tests.support.fuzzing import budget, spoiled
from trainer.data import Dataset, idx
from trainer.data import npz as npz_file

pytestmark = pytest.mark.fuzz

NAME = "set"
Read = Callable[[str, bytes], object]


def npz(compressed: bool, **arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **arrays)
    return file.getvalue()


def checked(read: Read, content: bytes) -> None:
    """Read a file. Anything but a DataError that names it is a defect."""
    found, reason = None, NAME
    try:
        found = read(NAME, content)
    except DataError as error:
        reason = str(error)
    assert reason.encode().startswith(NAME.encode()), reason
    if isinstance(found, Dataset):
        for split in (found.train, found.held_out):
            # Tables may have missing values, and vectors may not.
            assert np.isfinite(split.inputs).all() or (found.contract and not np.isinf(split.inputs).any())
            assert np.isfinite(split.targets).all()
        if found.task is Task.CLASSIFICATION:
            assert found.classes >= 2
            assert set(np.unique(found.train.targets)) <= set(range(found.classes))


X, Y = np.arange(80, dtype=np.float32).reshape(20, 4) / 80, np.arange(20) % 2
ARRAYS = [
    npz(False, x=X, y=Y),
    npz(True, x=X, y=Y),
    npz(False, x=X.reshape(20, 2, 2), y=Y.astype(str)),
    npz(True, x_train=X, y_train=Y, x_test=X, y_test=Y),
]


@budget(200)
@given(content=spoiled(ARRAYS))
def test_any_npz_file(content: bytes) -> None:
    checked(npz_file.read, content)


@st.composite
def headers(draw: st.DrawFn) -> bytes:
    """An npz file of one array whose header says anything, with a checksum that is right."""
    header = draw(
        st.text(max_size=40)
        | st.builds(
            "{{'descr': {!r}, 'fortran_order': {}, 'shape': {}, }}".format,
            st.sampled_from(["<f4", "|O", "<U9999999", "V0", ">c16", "<M8[D]", "x", "<f4, <i8"]),
            st.sampled_from(["True", "False", "None", "()"]),
            st.sampled_from(
                ["(1,)", "(-1,)", "()", "(9999999999999,)", "(0, 0)", "(2**9,)", "[1]", "('a',)", "(1.5,)"]
            ),
        )
    ).encode(errors="replace")
    version = draw(st.sampled_from([(1, 0), (2, 0), (3, 0), (9, 9)]))
    length = len(header).to_bytes(2 if version == (1, 0) else 4, "little")
    file = io.BytesIO()
    np.savez(file, y=Y)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("x.npy", b"\x93NUMPY" + bytes(version) + length + header + draw(st.binary(max_size=40)))
    return file.getvalue()


@budget(100)
@given(content=headers())
def test_any_header_of_an_array(content: bytes) -> None:
    checked(npz_file.read, content)


TABLE = b"".join(
    [b"a,b,label\n", *(b'%d.5,"%d",%s\n' % (row, -row, b"yes" if row % 2 else b"no") for row in range(12))]
)
TABLES = [
    TABLE,
    TABLE.replace(b",", b";").replace(b".5", b",5"),
    TABLE.replace(b"\n", b"\r\n").replace(b"yes", "é".encode("cp1252")),
    b"\xef\xbb\xbf" + TABLE,
    TABLE.decode().encode("utf-16"),
]
PACKED = [gzip.compress(TABLE, mtime=0), pyarrow.compress(TABLE, "zstd", asbytes=True)]


@budget(60)
@given(content=spoiled(TABLES))
@example(content=b"sep=\n")
@example(content=b'"')
@example(content=TABLE + b'\n4,5;"-4";no\n')
def test_any_table(content: bytes) -> None:
    checked(tables.read, content)


@budget(30)
@given(content=spoiled(PACKED) | spoiled(TABLES).map(lambda table: gzip.compress(table, mtime=0)))
def test_any_packed_table(content: bytes) -> None:
    checked(tables.read, content)


IMAGES = b"\x00\x00\x08\x03" + b"".join(size.to_bytes(4, "big") for size in (3, 2, 2)) + bytes(12)
LABELS = b"\x00\x00\x08\x01" + (3).to_bytes(4, "big") + bytes(3)


@budget(100)
@given(content=spoiled([IMAGES, LABELS, gzip.compress(IMAGES, mtime=0), zlib.compress(IMAGES)]))
@pytest.mark.parametrize("read", [idx.images, idx.labels])
def test_any_idx_file(read: Read, content: bytes) -> None:
    checked(read, content)
