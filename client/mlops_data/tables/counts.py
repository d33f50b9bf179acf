"""Count what the cells of columns look like."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mlops_contract import ColumnType
from mlops_contract.columns import LARGEST_WHOLE
from mlops_data.tables.cells import PLACE, Cells
from mlops_data.tables.dates import ANY_DATE_SQL, DAY_FIRST, DOTTED_FORM, ISO_FORM
from mlops_data.tables.numbers import is_missing, is_whole, number, within_float32

COLUMNS_PER_QUERY = 25
MOST_GROUPED = 10_000
"""Of a column with at most so many different texts, each is looked at once. More of them would take memory."""
COUNTED = 9
"""How many counts of a column are asked for in a query."""
SEPARATED = "[+-]?[0-9]+([.,'' \u00a0\u202f][0-9]{3})+([.,][0-9]*)?"
BOOLEAN_WORDS = (("yes", "no"), ("true", "false"), ("t", "f"), ("y", "n"))


@dataclass(frozen=True)
class Counts:
    """How many cells of a column are filled, are words for missing values, numbers, and so on.

    `distinct` estimates how many different texts it has; None if the column is typed, as few such columns need it.
    `least` and `most` are of its numbers minus their rows.
    """

    filled: int
    missing_words: int
    numbers: int
    whole: int
    codes: int
    beyond: int
    distinct: int | None
    least: float | None
    most: float | None

    @property
    def present(self) -> int:
        return self.filled - self.missing_words

    @property
    def steady(self) -> bool:
        """Whether its numbers increase by one from each row to the next."""
        return self.least is not None and self.least == self.most and float(self.least).is_integer()


@dataclass(frozen=True)
class Words:
    """How many cells of a column are words for true and false (of each pair), dates, and separated numbers.

    `other_dates` are in forms that are not read. `first` and `second` are the largest numbers before and after the
    first slash of dates such as 12/31/2025.
    """

    pairs: tuple[int, ...]
    iso: int
    dotted: int
    slashed: int
    other_dates: int
    separated: int
    first: int | None
    second: int | None

    @classmethod
    def of_times(cls, count: int) -> "Words":
        """Return those of a typed column with so many times."""
        return cls((0,) * len(BOOLEAN_WORDS), count, 0, 0, 0, 0, None, None)


def counted(cells: Cells, decimal_mark: str) -> Iterator[Counts]:
    """Yield the counts of each column."""
    for part in query_parts(range(len(cells.columns))):
        derived, selected = [], []
        for place in part:
            if typed := cells.typed.get(place):
                selected += _of_typed(f"n{place}", typed.kind)
                continue
            column, value, finite, whole = f"c{place}", f"v{place}", f"f{place}", f"w{place}"
            derived += [f"{number(column, decimal_mark)} AS {value}", f"{within_float32(value)} AS {finite}"]
            derived.append(f"{is_whole(column, value, finite)} AS {whole}")
            # A number is no word, and only a whole one can be a code: CASE asks no cell in vain.
            word = f"CASE WHEN {finite} OR {column} = '' THEN false ELSE {is_missing(column)} END"
            code = f"(starts_with({column}, '0') OR starts_with({column}, '-0')) AND {column} NOT IN ('0', '-0')"
            selected += [
                f"count_if({column} <> '')",
                f"count_if({word})",
                f"count_if({finite})",
                f"count_if({whole})",
                f"count_if(CASE WHEN {whole} THEN {code} ELSE false END)",
                f"count_if({whole} AND abs({value}) > {LARGEST_WHOLE})",
                f"approx_count_distinct({column})",
                f"min({value} - {PLACE})",
                f"max({value} - {PLACE})",
            ]
        (results,) = cells.query(", ".join(selected), part, derived=", ".join(derived))
        for start in range(0, len(results), COUNTED):
            yield Counts(*results[start : start + COUNTED])


def _of_typed(value: str, kind: ColumnType) -> list[str]:
    """Return SQL for the counts of a typed column: those that the texts of its values would have."""
    if kind is ColumnType.DATETIME:
        return [f"count({value})", "0", "0", "0", "0", "0", "NULL", "NULL", "NULL"]
    is_long = kind is ColumnType.LONG
    return [
        f"count({value})",
        f"count_if(coalesce(isnan({value}), false))",
        f"count_if({within_float32(value)})",
        f"count({value})" if is_long else "0",  # 7.0 and 1e20 are not written as whole numbers
        "0",
        f"count_if(coalesce(abs({value}) > {LARGEST_WHOLE}, false))" if is_long else "0",
        "NULL",
        f"min({value} - {PLACE})",
        f"max({value} - {PLACE})",
    ]


def estimated_distinct(cells: Cells, position: int) -> int:
    """Return an estimate of how many different texts a column has."""
    ((distinct,),) = cells.query(f"approx_count_distinct(c{position})", [position])
    return int(distinct)


def counted_words(cells: Cells, position: int, distinct: int) -> Words:
    """Return what a column has besides numbers. `distinct` estimates how many different texts it has."""
    column = f"c{position}"
    pairs = [_rows_with(f"lower({column}) IN ('{yes}', '{no}')") for yes, no in BOOLEAN_WORDS]
    # ANY_DATE_SQL matches what those before it match, and no other text matches two: so the first match decides.
    patterns = [ISO_FORM.pattern, DOTTED_FORM.pattern, DAY_FIRST.pattern, ANY_DATE_SQL, SEPARATED]
    forms = " ".join(f"WHEN regexp_full_match({column}, '{text}') THEN {at}" for at, text in enumerate(patterns))
    counted = [_rows_with(f"form = {at}") for at in range(len(patterns))]
    slashed = patterns.index(DAY_FIRST.pattern)
    largest = [
        f"max(CASE WHEN form = {slashed} THEN TRY_CAST(split_part({column}, '/', {part}) AS INTEGER) END)"
        for part in (1, 2)
    ]
    selected = ", ".join([*pairs, *counted, *largest])
    results = cells.query_texts(selected, position, f"CASE {forms} END AS form", grouped=distinct <= MOST_GROUPED)
    return Words(results[: len(pairs)], *results[len(pairs) :])


def _rows_with(condition: str) -> str:
    """Return SQL for the number of rows, from texts with their numbers of rows."""
    return f"coalesce(sum(rows) FILTER ({condition}), 0)::BIGINT"


def query_parts(positions: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yield as many columns as are asked about in one query."""
    for start in range(0, len(positions), COLUMNS_PER_QUERY):
        yield positions[start : start + COLUMNS_PER_QUERY]
