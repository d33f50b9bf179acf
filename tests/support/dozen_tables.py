"""A dozen tables of the kinds that people have, made with fixed seeds or carried by scikit-learn."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow
from pyarrow import parquet
from sklearn import datasets

from mlops_contract import Task

Cell = float | int | str | bool | None
Columns = dict[str, list[Cell]]
"""The cells as callers send them: null is None, and a datetime is text."""
ORDER = "row"
"""A column that counts the rows. A table is held out from a row on, and the column itself is left out."""
ROWS = 500


@dataclass(frozen=True)
class Table:
    """A table, and how it is trained.

    Attributes:
        columns: The cells by the name of the column.
        target: The column to predict.
        start: The value of `split` from which on rows are held out.
        split: The column that decides which rows are held out.
        suffix: The format of its file.
        written: How a CSV file writes the cells of a column, where not as themselves.
        asked: More fields of the training request.
        left_out: The columns that are not the model's, besides the target.
    """

    columns: Columns
    target: str
    start: Cell
    split: str = ORDER
    suffix: str = ".csv"
    written: Mapping[str, Callable[[Any], str]] = field(default_factory=dict)
    asked: Mapping[str, Any] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset({ORDER})

    def held_out(self) -> list[int]:
        """Return the rows that are held out, in their order."""
        return [
            row
            for row, (value, target) in enumerate(zip(self.columns[self.split], self.columns[self.target], strict=True))
            if target is not None and value >= self.start
        ]

    def rows(self, places: Sequence[int]) -> list[dict[str, Cell]]:
        """Some rows as callers send them."""
        names = [name for name in self.columns if name != self.target and name not in self.left_out]
        return [{name: self.columns[name][place] for name in names} for place in places]

    def content(self) -> bytes:
        """The table as a file."""
        return {".csv": self._csv, ".parquet": self._parquet, ".jsonl": self._json_lines}[self.suffix]()

    def _csv(self) -> bytes:
        file = io.StringIO()
        writer = csv.writer(file)
        writer.writerow(self.columns)
        columns = [
            ["" if cell is None else self.written.get(name, str)(cell) for cell in cells]
            for name, cells in self.columns.items()
        ]
        writer.writerows(zip(*columns, strict=True))
        return file.getvalue().encode()

    def _parquet(self) -> bytes:
        file = io.BytesIO()
        parquet.write_table(pyarrow.table(self.columns), file)
        return file.getvalue()

    def _json_lines(self) -> bytes:
        rows = zip(*self.columns.values(), strict=True)
        return "\n".join(json.dumps(dict(zip(self.columns, row, strict=True))) for row in rows).encode()


def table(columns: Mapping[str, Sequence[Any] | np.ndarray], target: str, **more: Any) -> Table:
    """A table with the column that counts its rows, of which the last fifth is held out."""
    plain = {
        name: np.asarray(cells).tolist() if isinstance(cells, np.ndarray) else list(cells)
        for name, cells in columns.items()
    }
    count = len(plain[target])
    return Table({ORDER: list(range(count)), **plain}, target, **{"start": count * 4 // 5, **more})


def with_nulls(random: np.random.Generator, cells: np.ndarray, share: float) -> list[Cell]:
    """The cells, of which a share is null."""
    return [
        None if absent else cell for cell, absent in zip(cells.tolist(), random.random(len(cells)) < share, strict=True)
    ]


def with_unseen(cells: Sequence[Cell]) -> list[Cell]:
    """The cells, of which each eleventh of the held-out rows has text that no training row has."""
    start = len(cells) * 4 // 5
    return [f"unseen №{row}" if row >= start and row % 11 == 0 else cell for row, cell in enumerate(cells)]


def days(random: np.random.Generator, count: int, first: str = "2021-01-01", span: int = 1400) -> list[str]:
    return [str(day) for day in np.datetime64(first) + random.integers(0, span, count)]


def german(day: str) -> str:
    return f"{day[8:]}.{day[5:7]}.{day[:4]}"


def words(value: bool) -> str:
    return "yes" if value else "no"


def mixed() -> Table:
    """Ids, numbers, text, dates and booleans in words; plan, fee and calls decide who leaves."""
    random = np.random.default_rng(1)
    plans = random.choice(["basic", "family", "business"], ROWS, p=[0.5, 0.3, 0.2])
    fee, calls = np.round(random.uniform(10, 90, ROWS), 2), random.poisson(2, ROWS)
    leaves = 1.5 * (plans == "basic") + 0.04 * fee + 0.8 * calls + random.normal(0, 0.4, ROWS) > 4.4
    return table(
        {
            "customer": [f"c-{number:05}" for number in random.permutation(ROWS)],
            "plan": with_unseen(with_nulls(random, plans, 0.1)),
            "fee": with_nulls(random, fee, 0.1),
            "calls": calls,
            "newsletter": with_nulls(random, random.random(ROWS) < 0.5, 0.05),
            "since": with_nulls(random, np.array(days(random, ROWS)), 0.05),
            "country": ["DE"] * ROWS,
            "churned": np.where(leaves, "yes", "no"),
        },
        "churned",
        written={"newsletter": words, "since": german},
        left_out=frozenset({ORDER, "customer", "country"}),
    )


def missing() -> Table:
    """Two fifths of the cells of each column are null, and that they are says something."""
    random = np.random.default_rng(2)
    size, weight = random.normal(10, 3, ROWS), random.normal(70, 9, ROWS)
    colour = random.choice(["red", "green", "blue"], ROWS)
    columns: Columns = {
        "size": with_nulls(random, size.round(3), 0.4),
        "weight": with_nulls(random, weight.round(2), 0.4),
        "rooms": with_nulls(random, random.integers(1, 7, ROWS), 0.4),
        "colour": with_unseen(with_nulls(random, colour, 0.4)),
    }
    score = [(2.5 if cell is None else (float(cell) - 10) / 3) for cell in columns["size"]]  # type: ignore[arg-type]
    score += np.array([{"red": 1.5, None: -1.5}.get(cell, 0.0) for cell in columns["colour"]])  # type: ignore[arg-type]
    score += random.normal(0, 0.3, ROWS)
    return table({**columns, "label": np.where(score > np.median(score), "high", "low")}, "label", suffix=".jsonl")


def wide() -> Table:
    """More columns than rows that decide: 500 numbers and ten texts, of which four columns matter."""
    random = np.random.default_rng(3)
    numbers = random.normal(size=(ROWS, 500)).round(3)
    texts = random.choice(list("abcd"), (ROWS, 10))
    score = numbers[:, 7] + numbers[:, 77] - numbers[:, 377] + 2 * (texts[:, 3] == "b")
    columns = {f"n{place}": numbers[:, place] for place in range(500)} | {
        f"t{place}": texts[:, place] for place in range(10)
    }
    return table({**columns, "label": np.where(score > 0.5, 1, 0)}, "label", suffix=".parquet")


def imbalanced() -> Table:
    """One row in twenty is a fraud."""
    random = np.random.default_rng(4)
    count = 2 * ROWS
    amount, night = random.lognormal(3, 1, count).round(2), random.random(count) < 0.3
    score = np.log(amount) + 2 * night + random.normal(0, 0.3, count)
    return table(
        {
            "amount": amount,
            "night": night,
            "shop": with_unseen(with_nulls(random, random.choice(["web", "store", "phone"], count), 0.1)),
            "fraud": np.where(score > np.quantile(score, 0.95), "fraud", "fine"),
        },
        "fraud",
        asked={"objective": "roc_auc", "class_weight": "balanced"},
    )


def datetimes() -> Table:
    """Sales by month, weekday and hour, held out in time. Only trees find that a month is a season."""
    random = np.random.default_rng(5)
    count = 2 * ROWS
    hours = np.sort(random.integers(0, 3 * 365 * 24, count))
    moments = np.datetime64("2021-01-01T00") + hours
    months, of_day = moments.astype("M8[M]").astype(int) % 12, hours % 24
    sales = 200.0 + 80 * np.isin(months, (5, 6, 7)) + 60 * (of_day > 12) + random.normal(0, 5, count)
    texts = [f"{moment}:00:00Z" for moment in moments]
    return Table(
        {"at": texts, "shop": random.choice(["A", "B"], count).tolist(), "sales": sales.round(2).tolist()},
        "sales",
        split="at",
        start="2023-06-01T00:00:00Z",
        left_out=frozenset(),
    )


def ids() -> Table:
    """Customer and account numbers, codes with leading zeros, and digits that are text in Parquet."""
    random = np.random.default_rng(6)
    codes, branch = random.integers(0, 9, ROWS), random.integers(0, 6, ROWS)
    score = np.isin(codes, (1, 4, 7)) + 0.5 * (branch == 2) + random.normal(0, 0.1, ROWS)
    return table(
        {
            "customer": [f"{number:08x}" for number in random.permutation(ROWS)],
            "account": random.permutation(ROWS) + 3_000_000_000,
            "code": with_unseen(with_nulls(random, np.array([f"00{code}" for code in codes]), 0.05)),
            "branch": [str(number) for number in branch],
            "label": (score > 0.5).astype(int),
        },
        "label",
        suffix=".parquet",
        asked={"columns": {"account": "ignore"}},
        left_out=frozenset({ORDER, "customer", "account"}),
    )


def carried(bunch: Any, target: str, seed: int, labels: Sequence[str] | None = None) -> Table:
    """A table of scikit-learn's, shuffled."""
    order = np.random.default_rng(seed).permutation(len(bunch.data))
    targets = bunch.target[order]
    columns = {str(name).replace(" ", "_"): bunch.data[order, place] for place, name in enumerate(bunch.feature_names)}
    return table({**columns, target: targets if labels is None else np.array(labels)[targets]}, target)


def regression() -> Table:
    """How far a disease has progressed after a year."""
    return carried(datasets.load_diabetes(scaled=False), "progression", 7)


def three_classes() -> Table:
    """Three wines."""
    return carried(datasets.load_wine(), "wine", 8, ["Barolo", "Grignolino", "Barbera"])


def numbers() -> Table:
    """Thirty numbers of a tissue, and classes that are numbers."""
    return carried(datasets.load_breast_cancer(), "class", 9)


def many_classes() -> Table:
    """Two hundred classes, in a plane and by a text."""
    random = np.random.default_rng(10)
    classes = np.arange(4000) % 200
    place = classes // 2
    return table(
        {
            "x": (place % 10 + random.normal(0, 0.08, 4000)).round(3),
            "y": (place // 10 + random.normal(0, 0.08, 4000)).round(3),
            "side": np.where(classes % 2, "left", "right"),
            "label": [f"class {number:03}" for number in classes],
        },
        "label",
    )


def texts() -> Table:
    """Six columns of text with many rare values, in several scripts. The frequent ones decide."""
    random = np.random.default_rng(11)
    count = 2 * ROWS
    columns = {}
    score = random.normal(0, 0.2, count)
    for place, word in enumerate(("Straße", "ville", "город", "都市", "l'été", "two\nlines")):
        levels = np.minimum(random.zipf(1.6, count), 300)
        score += np.isin(levels, (1, 3)) * (place + 1)
        columns[f"text {place}"] = with_unseen(
            with_nulls(random, np.array([f"{word} {level}" for level in levels]), 0.05)
        )
    return table({**columns, "price": (100 + 20 * score).round(2)}, "price")


def large() -> Table:
    """300,000 rows of numbers and text."""
    random = np.random.default_rng(12)
    count = 300_000
    width, height = random.normal(10, 2, count).round(3), random.normal(5, 1, count).round(3)
    kind = random.choice(["a", "b", "c"], count)
    score = width - height + 2 * (kind == "c") + random.normal(0, 1, count)
    columns = {"width": width, "height": height, "kind": kind, "label": np.where(score > 5.5, "big", "small")}
    return table(columns, "label", suffix=".parquet")


@dataclass(frozen=True)
class Kind:
    """A kind of table.

    Attributes:
        make: Makes it.
        task: What is predicted.
        types: The model types to try; None for all that claim it. Others take too long, or do not find what decides.
    """

    make: Callable[[], Table]
    task: Task = Task.CLASSIFICATION
    types: tuple[str, ...] | None = None


TABLES = {
    "mixed": Kind(mixed),
    "missing": Kind(missing),
    "wide": Kind(wide, types=("lightgbm", "linear")),
    "imbalanced": Kind(imbalanced),
    "datetimes": Kind(datetimes, Task.REGRESSION, ("lightgbm", "xgboost", "random_forest")),
    "ids": Kind(ids),
    "regression": Kind(regression, Task.REGRESSION),
    "three classes": Kind(three_classes),
    "many classes": Kind(many_classes, types=("random_forest", "lightgbm", "xgboost", "linear")),
    "numbers": Kind(numbers),
    "texts": Kind(texts, Task.REGRESSION),
    "large": Kind(large, types=("lightgbm", "xgboost", "linear")),
}
