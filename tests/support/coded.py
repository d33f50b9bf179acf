"""Small data sets with named columns, as the trainer's readers make them: coded matrices with all kinds of values."""

import numpy as np

from mlops_contract import Column, ColumnType, Contract, Task
from trainer.data import Dataset, Feature, Split

COLOURS = ("red", "green", "blue")
TOWNS = tuple(f"town {number:02d}" for number in range(24))
LABELS = {2: ("no", "yes"), 3: ("low", "middle", "high")}


def made(task: Task = Task.CLASSIFICATION, *, classes: int = 2, rows: int = 600, seed: int = 3) -> Dataset:
    """A table of four numbers and two categories, with missing values and other values, and a target that needs them.

    `size` decides most, more so where it is missing; so do three towns of 24, and the colour. `noise` decides nothing,
    and `scale` is of another order of magnitude.
    """
    generator = np.random.default_rng(seed)
    size = generator.normal(10, 3, rows)
    scale = generator.normal(5e5, 1e5, rows)
    flag = generator.integers(0, 2, rows)
    noise = generator.normal(size=rows)
    colour = generator.integers(0, len(COLOURS) + 1, rows).astype(float)
    town = generator.integers(0, len(TOWNS) + 1, rows).astype(float)
    size[generator.random(rows) < 0.15] = np.nan
    colour[generator.random(rows) < 0.1] = np.nan
    town[generator.random(rows) < 0.05] = np.nan
    score = (
        np.where(np.isnan(size), 2.5, (size - 10) / 3)
        + (scale - 5e5) / 2e5
        + 0.5 * flag
        + np.where(colour == 1, 1.0, 0.0)
        - np.where(np.isnan(colour), 1.0, 0.0)
        + np.where(np.isin(town, (3, 7, 20)), 1.5, 0.0)
        + generator.normal(size=rows) * 0.2
    )
    inputs = np.column_stack([size, scale, flag, noise, colour, town]).astype(np.float32)
    if task is Task.REGRESSION:
        targets, labels = 1000 + 50 * score, ()
    else:
        edges = np.quantile(score, np.arange(1, classes) / classes)
        targets, labels = np.digitize(score, edges).astype(np.int64), LABELS[classes]
    part = np.arange(rows) % 10
    train, validation, held_out = (
        Split(np.ascontiguousarray(inputs[chosen]), targets[chosen]) for chosen in (part < 6, part == 6, part > 6)
    )
    return Dataset(
        "made.csv",
        train,
        held_out,
        labels,
        None,
        "0" * 64,
        validation=validation,
        task=task,
        contract=contract(task),
        feature_columns=features(),
    )


def features() -> tuple[Feature, ...]:
    numbers = [Feature(name, name, None) for name in ("size", "scale", "flag", "noise")]
    return (*numbers, Feature("colour", "colour", COLOURS), Feature("town", "town", TOWNS))


def contract(task: Task) -> Contract:
    """The contract of these columns."""
    columns = (
        Column("size", ColumnType.DOUBLE, 0),
        Column("scale", ColumnType.DOUBLE, 1),
        Column("flag", ColumnType.BOOLEAN, 2),
        Column("noise", ColumnType.DOUBLE, 3),
        Column("colour", ColumnType.STRING, 0, levels=COLOURS),
        Column("town", ColumnType.STRING, 1, levels=TOWNS),
    )
    return Contract(task, "target", columns)


def odd_rows(dataset: Dataset) -> np.ndarray:
    """Held-out rows, each feature missing in turn, each category with another value, and numbers beyond their range."""
    rows = dataset.held_out.inputs[:6]
    pieces = [rows]
    for at, feature in enumerate(dataset.feature_columns):
        for value in (np.nan, 1e6 if feature.levels is None else len(feature.levels)):
            changed = rows.copy()
            changed[:, at] = value
            pieces.append(changed)
    pieces.append(np.full_like(rows[:1], np.nan))
    return np.concatenate(pieces)
