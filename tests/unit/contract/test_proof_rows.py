"""The file of a proof's rows: what was written is read, and what is no such file is refused with a reason."""

import io

import numpy as np
import pytest

from mlops_contract.agreement import agreement
from mlops_contract.proof_rows import MAX_BYTES, MAX_ROWS, ProofRows, UnreadableRows, most_rows

NUMBERS = np.array([[1.5, np.nan], [2, 3], [4, 5]], np.float32)
TEXTS = np.array([["red", ""], ["Straße №", "two\nlines"], ["", "x" * 90]], object)
ANSWERS = np.array([[0.25, 0.75], [1, 0], [0.5, 0.5]], np.float32)


def rows(**changes: object) -> ProofRows:
    return ProofRows(
        **{"feeds": {"numbers": NUMBERS, "categories": TEXTS}, "expected": ANSWERS, "scale": 1.0, **changes}
    )


def packed(**arrays: object) -> bytes:
    file = io.BytesIO()
    np.savez(file, **{"numbers": NUMBERS, "expected": ANSWERS, "scale": np.float64(1), **arrays})
    return file.getvalue()


@pytest.mark.parametrize("inputs", [("numbers", "categories"), ("numbers",), ("categories",)])
def test_what_was_written_is_read(inputs: tuple[str, ...]) -> None:
    written = rows(feeds={name: values for name, values in rows().feeds.items() if name in inputs}, scale=2.5)
    read = ProofRows.from_bytes(written.to_bytes())
    assert (read.feeds.keys(), read.scale, len(read)) == (set(inputs), 2.5, 3)
    for name, values in written.feeds.items():
        assert read.feeds[name].dtype == values.dtype
        assert np.array_equal(read.feeds[name], values, equal_nan=name == "numbers")
    assert np.array_equal(read.expected, ANSWERS)


def test_the_same_rows_are_the_same_bytes_and_need_no_pickle() -> None:
    assert rows().to_bytes() == rows().to_bytes()
    arrays = np.load(io.BytesIO(rows().to_bytes()), allow_pickle=False)
    assert {name: arrays[name].dtype.kind for name in arrays} == {
        "numbers": "f", "categories": "U", "expected": "f", "scale": "f",
    }  # fmt: skip


def test_batches_have_all_rows_once() -> None:
    batches = list(rows().batches(2))
    assert [len(batch["numbers"]) for batch in batches] == [2, 1]
    assert np.concatenate([batch["categories"] for batch in batches]).tolist() == TEXTS.tolist()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"PK", "BadZipFile|not a zip|EOFError"),
        (rows().to_bytes()[:-40], "no npz file"),
        (packed(categories=TEXTS), "allow_pickle=False"),
        (packed(numbers=np.zeros((1, MAX_BYTES // 4), np.float32)), f"more than {MAX_BYTES:,}"),
        (packed(expected=ANSWERS[:2]), "do not fit"),
        (packed(numbers=NUMBERS[0]), "do not fit"),
        (packed(numbers=NUMBERS[:0], expected=ANSWERS[:0]), "do not fit"),
        (packed(scale=np.float64(0)), "do not fit"),
        (packed(scale=np.array(["a"])), "no npz file"),
    ],
)
def test_what_is_no_such_file_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableRows, match=reason):
        ProofRows.from_bytes(data)


@pytest.mark.parametrize(("columns", "text", "classes"), [(4, 20, 2), (900, 100, 2), (2, 100, 1000), (1, 1, 1)])
def test_as_many_rows_as_fit_can_be_read(columns: int, text: int, classes: int) -> None:
    feeds = {
        "numbers": np.zeros((MAX_ROWS, 3), np.float32),
        "categories": np.full((MAX_ROWS, columns), "a" * text, object),
    }
    count = most_rows(feeds, classes)
    assert (count == MAX_ROWS) == (columns < 900)
    some = {name: values[:count] for name, values in feeds.items()}
    assert len(ProofRows.from_bytes(ProofRows(some, np.ones((count, classes), np.float32), 1.0).to_bytes())) == count


def test_answers_agree_within_the_tolerance_of_their_scale() -> None:
    expected = np.array([[0.5], [0.5], [np.nan], [np.inf], [np.inf]])
    answers = np.array([[0.50009], [0.5002], [np.nan], [np.inf], [1.0]])
    assert agreement(expected, answers, 1.0).off.tolist() == [False, True, True, False, True]
    quantities = np.array([[250_000.0]])
    assert not agreement(quantities, quantities + 0.9, 10_000.0).off.any()
    assert agreement(quantities, quantities + 1.1, 10_000.0).off.all()
    assert not agreement(quantities, quantities + 0.1, 1e-9).off.any(), "float32 has no closer number"
