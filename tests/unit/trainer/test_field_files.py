"""Files as people have them, through training, export, the gate and predict: trained and right, or refused with the
remedy."""

import gzip
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import boto3
import numpy as np
import pyarrow
import pytest
from numpy.lib import format as npy

from mlops_data import tables
from mlops_data.errors import DataError
from predict import inputs, request
from predict.model_cache import ServedModel
from tests.support import served_models
from tests.support.coded_rows import Cell
from trainer import data, models
from trainer.data import Label, npz
from trainer.export import export
from trainer.parameters import Parameters

from .test_fit import Session

PER_CLASS = 20
FAR = 4.0
"""The second class lies around (4, 4), the first one around (0, 0)."""


@dataclass(frozen=True)
class Trained:
    """The model has these labels, and answers each row of `answers` with its label."""

    answers: Mapping[Label, Sequence[Cell]]
    notes: tuple[str, ...] = ()
    more_labels: tuple[Label, ...] = ()


@dataclass(frozen=True)
class Quantity:
    """The model predicts a quantity, and answers each row of `answers` with it."""

    answers: Mapping[float, Sequence[Cell]]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refused:
    """The error names the place, what is wrong and what helps."""

    place: str
    reason: str
    remedy: str


def two(first: Label, second: Label, *notes: str, features: int = 2) -> Trained:
    return Trained({first: (0.0,) * features, second: (FAR,) * features}, notes)


def clouds(*labels: str, features: int = 2) -> list[list[str]]:
    """Cells: twenty rows of each label, features first."""
    generator = np.random.default_rng(3)
    rows = []
    for place, label in enumerate(labels):
        numbers = generator.normal(size=(PER_CLASS, features)) + FAR * place
        rows += [[*(f"{number:.3f}" for number in row), label] for row in numbers]
    return rows


def table(
    rows: Sequence[Sequence[str]],
    header: str = "a,b,label",
    delimiter: str = ",",
    end: str = "\n",
    quoted: bool = False,
) -> str:
    shown = [[f'"{cell}"' for cell in row] if quoted else row for row in rows]
    return end.join([header, *(delimiter.join(row) for row in shown), ""])


def labelled(first: str, second: str, quoted: bool = False) -> bytes:
    return table(clouds(first, second), quoted=quoted).encode()


def changed(row: int, column: int, cell: str, **how: bool) -> bytes:
    """A table with one other cell, whose line is `row` + 2."""
    rows = clouds("0", "1")
    rows[row][column] = cell
    return table(rows, **how).encode()


def numbered(*labels: str) -> bytes:
    """Five rows of each label."""
    return table([[f"{index}.5", f"{row}", label] for index, label in enumerate(labels) for row in range(5)]).encode()


def with_column(header: str, cells: Sequence[str]) -> bytes:
    rows = [[cell, *row] for cell, row in zip(cells, clouds("0", "1"), strict=True)]
    return table(rows, header=f"{header},a,b,label").encode()


DAYS = [f"2024-01-{row % 28 + 1:02d}" for row in range(2 * PER_CLASS)]
PLAIN = table(clouds("0", "1"))
BINARY = two(0, 1)
INDEX = [str(row) for row in range(2 * PER_CLASS)]
SHUFFLED = [str(row * 7 % 1009) for row in range(2 * PER_CLASS)]


def zstd(content: bytes) -> bytes:
    return pyarrow.compress(content, codec="zstd", asbytes=True)


CSV_FILES: dict[str, tuple[bytes, Trained | Quantity | Refused]] = {
    # How the text is written
    "byte order mark, CRLF, quoted": (
        b"\xef\xbb\xbf" + table(clouds("0", "1"), '"a","b","label"', end="\r\n", quoted=True).encode(),
        BINARY,
    ),
    "semicolons and decimal commas": (
        PLAIN.replace(",", ";").replace(".", ",").encode(),
        two(0, 1, "commas are read as decimal marks"),
    ),
    "quoted decimal commas": (
        table([[cell.replace(".", ",") for cell in row] for row in clouds("0", "1")], quoted=True).encode(),
        two(0, 1, "commas are read as decimal marks"),
    ),
    "tabs": (PLAIN.replace(",", "\t").encode(), BINARY),
    "vertical bars": (PLAIN.replace(",", "|").encode(), BINARY),
    "semicolons and a comma in the header": (
        table(clouds("0", "1"), "a;b, in cm;label", delimiter=";").encode(),
        BINARY,
    ),
    "sep=": (b"sep=,\n" + PLAIN.encode(), BINARY),
    "sep=;": (b"sep=;\r\n" + PLAIN.replace(",", ";").encode(), BINARY),
    "Windows-1252": (
        table(clouds("grün", "rot")).encode("cp1252"),
        two("grün", "rot", "the file is read as Windows-1252"),
    ),
    "Cyrillic": (
        table(clouds("привет", "мир")).encode("cp1251"),
        Refused("line 2", "not UTF-8 text", "save it as UTF-8"),
    ),
    "UTF-8 with one damaged byte": (
        table(clouds("grün", "rot")).encode() + "1,2,grün\n".encode("latin-1"),
        Refused("line 42", "byte .* is 0xfc", "save it as UTF-8"),
    ),
    "UTF-16": (PLAIN.encode("utf-16"), two(0, 1, "the file is read as UTF-16LE")),
    "UTF-16, big end first": (
        b"\xfe\xff" + PLAIN.encode("utf-16-be"),
        two(0, 1, "the file is read as UTF-16BE"),
    ),
    "UTF-16 that is cut off": (
        PLAIN.encode("utf-16")[:-1],
        Refused("line 41", "not UTF-16LE text", "save it as UTF-8"),
    ),
    "Chinese and German": (table(clouds("是", "naïve"), "größe,長さ,label").encode(), two("是", "naïve")),
    "gzip": (gzip.compress(PLAIN.encode()), BINARY),
    "gzip that is cut off": (
        gzip.compress(PLAIN.encode())[:-9],
        Refused("", "gzip file is truncated", "create or download it again"),
    ),
    "zstd": (zstd(PLAIN.encode()), BINARY),
    "zstd that is cut off": (
        zstd(PLAIN.encode())[:-9],
        Refused("", "zstd file is truncated", "create or download it again"),
    ),
    "a workbook": (b"PK\x03\x04" + bytes(60), Refused("", "an Excel workbook", r"save the sheet as CSV")),
    "Parquet": (b"PAR1" + bytes(60), Refused("", "a Parquet file", r"end in \.parquet")),
    # Lines
    "no rows": (b"a,b,label\n", Refused("", "no rows below the header", "add rows")),
    "empty": (b"", Refused("line 1", "the file is empty", "add a header")),
    "blank lines": (PLAIN.replace("\n", "\n\n", 5).encode() + b"   \n\n", BINARY),
    "line ends of three kinds": (PLAIN.replace("\n", "\r\n", 9).replace("\n", "\r", 2).encode(), BINARY),
    "a row that is too short after a blank line": (
        PLAIN.encode() + b"\n  \n1,0\n",
        Refused("line 44", "has 2 columns, the header has 3", "add or remove cells"),
    ),
    "a quotation mark within a cell": (labelled('5" pipe', "hose"), two('5" pipe', "hose")),
    "blanks around quoted cells": (table(clouds(' "x, y" ', "z")).encode(), two("x, y", "z")),
    "a quoted line end": (
        table(clouds('"up\nto"', "1"), '"a\n(cm)",b,label').encode(),
        two("up\nto", "1"),
    ),
    "an unclosed quotation mark": (
        b'a,b,label\n1,2,"0\n' + b"".join(b"%d,%d.5,%d\n" % (row, row, row % 2) for row in range(20_000)),
        Refused("line 2", "unexpected end of data", "is a quotation mark missing"),
    ),
    "a row that is too short": (
        PLAIN.encode() + b"1,0\n",
        Refused("line 42", "has 2 columns, the header has 3", "add or remove cells"),
    ),
    "rows that are too short for the sniffer": (
        table([row[: 2 + index % 2] for index, row in enumerate(clouds("0", "1"))]).encode(),
        Refused("line 2", "has 2 columns, the header has 3", "add or remove cells"),
    ),
    "a row that is too long": (
        PLAIN.replace(",", ";").encode() + b"1;0;1;7\n",
        Refused("line 42", "has 4 columns, the header has 3", "add or remove cells"),
    ),
    "an empty cell too many": (
        PLAIN.encode() + b"1,0,1,\n1,0,1\n",
        Refused("line 42", "has 4 columns, the header has 3", "add or remove cells"),
    ),
    "a quoted empty cell too many, on the last line": (
        PLAIN.encode() + b'1,0,1,""',
        Refused("line 42", "has 4 columns, the header has 3", "add or remove cells"),
    ),
    "empty cells too many beside an empty column": (
        "\n".join(f"{line}," for line in PLAIN.splitlines()).encode() + b"\n1,0,1,,,\n",
        Refused("line 42", "has 6 columns, the header has 4", "add or remove cells"),
    ),
    "rows of commas at the end": (PLAIN.encode() + b",,\n,,,,\n", BINARY),
    "a line that ends in a comma within a quoted cell": (
        table(clouds('"up,\nto"', ' "x, y" ')).encode(),
        two("up,\nto", "x, y"),
    ),
    # Labels
    "labels of signs": (labelled("<=50K", ">50K"), two("<=50K", ">50K")),
    "labels of per cent and plus": (labelled("10%", "C++"), two("10%", "C++")),
    "labels with brackets and commas": (
        labelled("yes (sure)", "no, never", quoted=True),
        two("yes (sure)", "no, never"),
    ),
    "yes and no": (labelled("yes", "no"), two("yes", "no")),
    "an ampersand": (labelled("R&D", "Sales"), two("R&D", "Sales")),
    "300 characters": (labelled("L" * 300, "M" * 300), two("L" * 300, "M" * 300)),
    "booleans": (labelled("True", "False"), two("True", "False")),
    "whole numbers that begin anywhere": (
        table(clouds("3", "7", "9")).encode(),
        Trained({3: (0, 0), 7: (FAR, FAR), 9: (2 * FAR, 2 * FAR)}),
    ),
    "negative numbers": (labelled("-1", "1"), two(-1, 1)),
    "numbers with a point": (labelled("1.0", "2.0"), two("1.0", "2.0")),
    "superscripts": (labelled("²", "³"), two("²", "³")),
    "two dashes": (labelled("--5", "--6"), two("--5", "--6")),
    "leading zeros": (
        table(clouds("01", "1", "002")).encode(),
        Trained({"01": (0, 0), "1": (FAR, FAR), "002": (2 * FAR, 2 * FAR)}),
    ),
    "a class of one row": (
        PLAIN.encode() + b"40,-40,2\n",
        Refused("", "the class 2 has 1 row, and needs 3", "add rows, merge it with another class, or remove it"),
    ),
    "two thousand rows of one class": (
        table([*clouds("0") * 100, *clouds("0", "1")]).encode(),
        BINARY,
    ),
    "20 classes by number": (
        numbered(*map(str, range(20))),
        Trained({3: (3.5, 2), 17: (17.5, 2)}, more_labels=tuple(set(range(20)) - {3, 17})),
    ),
    "21 classes by number": (
        numbered(*map(str, range(21))),
        Refused("column 'label'", "21 different whole numbers can be classes or a quantity", "set task to"),
    ),
    "21 classes by code": (
        numbered(*(f"{code:03d}" for code in range(21))),
        Trained(
            {"003": (3.5, 2), "020": (20.5, 2)}, more_labels=tuple(f"{code:03d}" for code in range(20) if code != 3)
        ),
    ),
    "214 whole numbers": (
        numbered(*map(str, range(25, 239))),
        Quantity({28: (3.5, 2), 230: (205.5, 2)}),
    ),
    "fractions": (
        numbered("0.5", "1.25", "3"),
        Quantity({0.5: (0.5, 2), 1.25: (1.5, 2), 3: (2.5, 2)}),
    ),
    "1,200 fractions": (
        numbered(*(f"{value}.5" for value in range(1200))),
        Quantity({7.5: (7.5, 2), 1100.5: (1100.5, 2)}),
    ),
    "a missing label": (changed(6, 2, ""), two(0, 1, "1 row without a value in 'label': left out")),
    "labels that are all missing": (
        table([["1", "2", "NA"], ["3", "4", ""]]).encode(),
        Refused("column 'label'", "the label is missing in all rows|all rows have the class", "name another|add rows"),
    ),
    # The header
    "capitals and blanks in the header": (PLAIN.replace("label", " Label ", 1).encode(), BINARY),
    "another name for the label": (
        PLAIN.replace("label", "Species", 1).encode(),
        Refused("line 1", "no column named label, target, class, y .*Species", "rename the column"),
    ),
    "label beside target": (
        table([[a, label, label] for a, _, label in clouds("0", "1")], "a,target,label").encode(),
        Refused("line 1", "'target' and 'label' can be the label", "rename or remove the others"),
    ),
    "a name twice": (
        PLAIN.replace("a,b", "a,a", 1).encode(),
        Refused("line 1", "'a' is twice", "rename or remove"),
    ),
    "an index of pandas": (
        with_column("", INDEX),
        two(0, 1, "column 1, without a name, is left out: it counts the rows"),
    ),
    "an index of pandas, shuffled": (
        with_column("", SHUFFLED),
        two(0, 1, "column 1, without a name, is left out: it is an index, a different whole number in each row"),
    ),
    "a row number with a name": (
        with_column("id", INDEX),
        two(0, 1, "the column 'id' is left out: it counts the rows"),
    ),
    "an empty column at the end": (
        "\n".join(f"{line}," for line in PLAIN.splitlines()).encode(),
        two(0, 1, "column 4, without a name, is left out: it is empty"),
    ),
    "a column without a name": (
        with_column("", ["1.5"] * 40),
        Refused("line 1", "column 1 has no name", "give it one"),
    ),
    # Cells
    "a constant column": (
        with_column("c", ["5"] * 40),
        two(0, 1, "the column 'c' is left out: it has the same value in all training rows"),
    ),
    "a column without a value": (with_column("c", ["NA"] * 40), two(0, 1, "the column 'c' is left out: it is empty")),
    "an empty cell": (changed(6, 0, ""), BINARY),
    "NA": (changed(6, 0, "NA"), BINARY),
    "N/A": (changed(6, 0, "N/A"), BINARY),
    "nan": (changed(6, 0, "nan"), BINARY),
    "null": (changed(6, 0, "null"), BINARY),
    "a dash": (changed(6, 0, "-"), BINARY),
    "a question mark": (
        changed(6, 0, "?"),
        Refused("line 8, column 'a'", "'?' is not a number", "leave the cell empty if the value is missing"),
    ),
    "infinity": (changed(6, 0, "inf"), Refused("line 8, column 'a'", "'inf' is not a finite number", "correct it")),
    "beyond float32": (changed(6, 0, "1e39"), Refused("line 8, column 'a'", "'1e39' is not a finite", "correct it")),
    "beyond float64": (changed(6, 1, "1e400"), Refused("line 8, column 'b'", "'1e400' is not a finite", "correct it")),
    "thousands separators": (
        changed(6, 0, "1,234.5", quoted=True),
        Refused("line 8, column 'a'", "'1,234.5' is not a number", "without thousands separators"),
    ),
    "thousands or decimals": (
        table([["1,234", "2,500", label] for *_, label in clouds("0", "1")], quoted=True).encode(),
        Refused("line 2, column 'a'", "'1,234' is not a number", "with a decimal point and without thousands"),
    ),
    "an underscore": (changed(6, 0, "1_000"), Refused("line 8, column 'a'", "'1_000' is not a number", "correct it")),
    "a NUL": (changed(6, 0, "1\0"), Refused("line 8, column 'a'", r"'1\\x00' is not a number", "correct it")),
    "a typing error after a quoted line end": (
        table([["1", "2", '"x\ny"'], ["1", "oops", "z"], *clouds("z", "w")]).encode(),
        Refused("line 4, column 'b'", "'oops' is not a number", "correct it, remove the row"),
    ),
    "dates": (
        with_column("day", DAYS),
        Trained({0: ("2024-01-07T00:00:00", 0, 0), 1: ("2024-01-07T00:00:00", FAR, FAR)}),
    ),
    "dates of the other order": (
        with_column("day", [f"{day[8:]}.{day[5:7]}.{day[:4]}" for day in DAYS]),
        Trained({0: ("2024-01-07T00:00:00", 0, 0), 1: ("2024-01-07T00:00:00", FAR, FAR)}),
    ),
    "dates with slashes": (
        with_column("day", [f"{day[5:7]}/{day[8:]}/{day[:4]}" for day in DAYS]),
        Trained(
            {0: ("2024-01-07T00:00:00", 0, 0), 1: ("2024-01-07T00:00:00", FAR, FAR)},
            ("the column 'day' has dates whose first number is the month",),
        ),
    ),
    "dates whose order no day shows": (
        with_column("day", [f"0{row % 9 + 1}/0{row % 8 + 1}/2024" for row in range(40)]),
        Refused("the column 'day'", "whether the day or the month is first", "write dates as 2025-12-31"),
    ),
    "a date that does not exist": (
        with_column("day", [*DAYS[1:], "2024-02-31"]),
        Refused("line 41, column 'day'", "'2024-02-31' is not a date", "write dates as 2025-12-31"),
    ),
    "dates of two digits": (
        with_column("day", ["24.12.23"] * 40),
        Refused("line 2, column 'day'", "'24.12.23' is not a date", "write dates as 2025-12-31"),
    ),
    "words": (with_column("paid", ["Yes", "no"] * 20), Trained({0: (True, 0, 0), 1: (False, FAR, FAR)})),
    "text": (with_column("colour", ["red", "blue"] * 20), Trained({0: ("red", 0, 0), 1: ("green", FAR, FAR)})),
    "codes": (
        with_column("zip", ["01067", "20095"] * 20),
        Trained(
            {0: ("01067", 0, 0), 1: ("20095", FAR, FAR)},
            ("the column 'zip' is read as text: codes such as 007 begin with a zero, so they are categories",),
        ),
    ),
    "ids of letters": (
        with_column("customer", [f"c{row * 7 % 1009}" for row in range(40)]),
        two(0, 1, "the column 'customer' is left out: it is an id: 40 different texts in 40 rows"),
    ),
    "ids of digits, shuffled": (
        with_column("customer", SHUFFLED),
        Trained(
            {0: (7, 0, 0), 1: (7, FAR, FAR)},
            (
                "the column 'customer' has a different whole number in nearly each row; if it is an id, set it to "
                "ignore (columns)",
            ),
        ),
    ),
    "whole numbers that float32 does not have": (
        with_column("account", [str(16_777_217 + row % 5) for row in range(40)]),
        Refused("line 2, column 'account'", "16777217 is beyond 16,777,216", "set the column to category or ignore"),
    ),
    "thousands of columns": (
        table(clouds("0", "1", features=1500), ",".join([*(f"f{index}" for index in range(1500)), "label"])).encode(),
        two(0, 1, features=1500),
    ),
}


# npz files

GENERATOR = np.random.default_rng(4)
Y = np.repeat([0, 1], 30)
X = GENERATOR.normal(size=(60, 3)) + FAR * Y[:, None]
# The first class is bright in its upper half, the second in its lower half.
PICTURES = np.clip(GENERATOR.normal(0.15, 0.05, (60, 8, 8)), 0, 1)
PICTURES[:30, :4] += 0.7
PICTURES[30:, 4:] += 0.7
UPPER = np.repeat([0.85, 0.15], 32)
LOWER = UPPER[::-1]
VECTORS = Trained({0: (0, 0, 0), 1: (FAR, FAR, FAR)})
SEEN = Trained({0: UPPER, 1: LOWER})


def archive(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def lying() -> bytes:
    """A header that promises 10¹² rows, before 64 bytes."""
    promise, targets, file = io.BytesIO(), io.BytesIO(), io.BytesIO()
    npy.write_array_header_1_0(promise, {"descr": "<f8", "fortran_order": False, "shape": (10**12, 4)})
    np.save(targets, Y)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("x.npy", promise.getvalue() + bytes(64))
        packed.writestr("y.npy", targets.getvalue())
    return file.getvalue()


def single() -> bytes:
    file = io.BytesIO()
    np.save(file, X)
    return file.getvalue()


def spoilt(row: int, column: int, value: float) -> np.ndarray:
    changed = X.copy()
    changed[row, column] = value
    return changed


NPZ_FILES: dict[str, tuple[bytes, Trained | Refused]] = {
    "labels as objects": (
        archive(x=X, y=np.array(["a", "b"], object)[Y]),
        Refused("y", "has Python objects", r"save y\.astype\(str\)"),
    ),
    "labels as floats": (archive(x=X, y=Y.astype(float)), Refused("y", "is float64", r"y\.astype\(int\)\.ravel\(\)")),
    "labels as a column": (archive(x=X, y=Y[:, None]), Refused("y", r"\(60, 1\)", r"y\.astype\(int\)\.ravel\(\)")),
    "fractions": (
        archive(x=X, y=Y + 0.5),
        Refused("y", "2 different numbers are a quantity", r"save y\.astype\(str\).*\(regression\), save a table"),
    ),
    "a missing label": (
        archive(x=X, y=np.where(np.arange(60) == 7, np.nan, Y)),
        Refused("y, row 8", "nan is not a label", "remove the row"),
    ),
    "30 whole numbers": (
        archive(x=X, y=np.arange(60) // 2),
        Refused("y", "30 different whole numbers can be classes or a quantity", r"save y\.astype\(str\)"),
    ),
    "30 classes as text": (
        archive(x=np.repeat(np.arange(30), 5)[:, None] * 10.0, y=np.repeat(np.arange(30), 5).astype(str)),
        Trained({"0": (0,), "29": (290,)}, more_labels=tuple(str(label) for label in range(1, 29))),
    ),
    "booleans": (archive(x=X, y=Y.astype(bool)), Trained({"False": (0, 0, 0), "True": (FAR, FAR, FAR)})),
    "labels beyond 64 bits": (
        archive(x=X, y=Y.astype(np.uint64) + np.uint64(2**63)),
        Refused("y", "exceeds 64 bits", "store the labels as text"),
    ),
    "Fortran order": (archive(x=np.asfortranarray(X), y=Y), VECTORS),
    "big end first": (archive(x=X.astype(">f8"), y=Y.astype(">i4")), VECTORS),
    "float16": (archive(x=X.astype(np.float16), y=Y), VECTORS),
    "complex": (
        archive(x=X.astype(complex), y=Y),
        Refused("x", "has the type complex128, not numbers", "save integers or floats"),
    ),
    "other names": (archive(X=X, y=Y), Refused("", "has X, y; expected x and y", "rename the arrays")),
    "nan": (
        archive(x=spoilt(40, 1, np.nan), y=Y),
        Refused("x, row 41, column 2", "nan is not a finite number", "remove the row"),
    ),
    "no rows": (archive(x=X[:0], y=Y[:0]), Refused("", "no rows", "add some")),
    "a lying header": (lying(), Refused("", "header of x says float64", "write the file again")),
    "a single array": (single(), Refused("", r"a single \.npy array", r"save it with numpy\.savez")),
    "bytes": (archive(x=(PICTURES * 255).astype(np.uint8), y=Y), SEEN),
    "floats from 0 to 1": (archive(x=PICTURES, y=Y), SEEN),
    "floats from 0 to 255": (
        archive(x=(PICTURES * 255).astype(np.float32), y=Y),
        Refused("x", "pixels from .* models get pixels from 0 to 1", r"x\.astype\('float32'\) / 255"),
    ),
    "floats from 0 to 16": (archive(x=PICTURES * 16, y=Y), Refused("x", "pixels from", r"x\.astype\('float32'\) / 16")),
    "uint16": (archive(x=(PICTURES * 65535).astype(np.uint16), y=Y), Refused("x", "uint16 with pixels", "/ 65535")),
    "int8": (
        archive(x=((PICTURES - 0.5) * 255).astype(np.int8), y=Y),
        Refused("x", "int8", "before they were centred"),
    ),
    "one channel": (
        archive(x=(PICTURES * 255).astype(np.uint8)[..., None], y=Y),
        Refused("x", r"\(60, 8, 8, 1\)", r"save x\.squeeze\(-1\)"),
    ),
}

SLOW = ("thousands of columns",)
CASES = [
    *(
        pytest.param("set.csv", *case, id=f"csv: {name}", marks=[pytest.mark.slow] if name in SLOW else [])
        for name, case in CSV_FILES.items()
    ),
    *(pytest.param("set.npz", *case, id=f"npz: {name}") for name, case in NPZ_FILES.items()),
]


@pytest.mark.parametrize(("name", "content", "outcome"), CASES)
def test_a_file_is_trained_right_or_refused_with_the_remedy(
    name: str, content: bytes, outcome: Trained | Quantity | Refused
):
    read = npz.read if name.endswith(".npz") else tables.read
    if isinstance(outcome, Refused):
        with pytest.raises(DataError, match=rf"(?s)^{name}: {outcome.place}.*{outcome.reason}.*{outcome.remedy}"):
            read(name, content)
        return
    dataset = read(name, content)
    assert dataset.notes == outcome.notes
    if isinstance(outcome, Trained):
        assert set(dataset.labels) == {*outcome.answers, *outcome.more_labels}
        assert {type(label) for label in dataset.labels} == {type(label) for label in outcome.answers}
    model = served(dataset)
    for due, row in outcome.answers.items():
        assert answer(model, row) == (pytest.approx(due, abs=1) if isinstance(outcome, Quantity) else due)


def trained(dataset: data.Dataset) -> models.Trained:
    asked = Parameters(model_type="random_forest", hyperparameters={"n_estimators": 30})
    return models.find(asked.model_type).train(dataset, models.resolved(asked), Session())


def served(dataset: data.Dataset) -> ServedModel:
    """A forest that was trained on `dataset`, as the gate admits it and predict loads it."""
    exported = export(trained(dataset), dataset)
    return served_models.loaded(served_models.admitted(exported.content, exported.proof_rows))


def answer(model: ServedModel, row: Sequence[Cell]) -> Label | float:
    """The label or the quantity that predict answers to a request with this row, in the order of the columns."""
    contract = model.manifest.contract
    if contract is not None:
        names = (column.name for column in contract.columns)
        return served_models.answer(model, dict(zip(names, row, strict=True)))["prediction"]
    source = "image" if model.manifest.input.image else "inputs"
    body = json.dumps({source: list(map(float, row))})
    numbers = inputs.inputs_of(request.parse(body, request.SINGLE, "field"), model.manifest.input)
    return model.manifest.labels[int(model.probabilities(numbers).argmax())]


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(
    "name",
    ["my data (1).csv", "UPPER.CSV", "a+b.csv", "data#2.csv", "résumé.csv", "what?.csv", "50%25.csv.gz", "t.tsv"],
)
def test_any_name_of_a_file_is_an_address(name: str):
    content = gzip.compress(PLAIN.encode()) if name.endswith(".gz") else PLAIN.encode()
    boto3.client("s3").put_object(Bucket="artifacts", Key=f"datasets/{name}", Body=content)
    assert data.load(f"s3://artifacts/datasets/{name}").digest == tables.read("set.csv", PLAIN.encode()).digest
