"""Find out how the cells of columns are read, from all of them: numbers, booleans, datetimes or categories."""

from collections.abc import Sequence
from dataclasses import dataclass

from mlops_contract import ColumnType
from mlops_contract.cells import DECIMAL_COMMA, TRUE_OR_FALSE
from mlops_data.errors import DataError
from mlops_data.options import ColumnRole
from mlops_data.tables.cells import Cells
from mlops_data.tables.counts import (
    BOOLEAN_WORDS,
    Words,
    counted,
    counted_words,
    estimated_distinct,
    query_parts,
)
from mlops_data.tables.dates import DAY_FIRST, DOTTED_FORM, ISO_FORM, MONTH_FIRST, DateForm
from mlops_data.tables.numbers import number, within_float32
from mlops_data.tables.refusals import refuse_misfit

LIKELY_UNIQUE_SHARE = 0.9
"""If an estimate is below this share of all, values repeat."""
WITH_COMMA = r"[+-]?([0-9]+,[0-9]*|,[0-9]+)([eE][+-]?[0-9]+)?"
PERHAPS_THOUSANDS = r"[+-]?[1-9][0-9]{0,2},[0-9]{3}"
WITH_POINT = r"[+-]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
LAST_MONTH = 12


@dataclass(frozen=True)
class Reading:
    """How the cells of a column are read.

    Attributes:
        position: Its position in the table.
        name: Its name.
        type: Its type in the contract.
        value: SQL for a cell's value, from the columns of `Cells.rows_of`, NULL if it is missing: VARCHAR for strings,
            DOUBLE for all others. Booleans are 1 and 0, datetimes are seconds since 1970 in UTC.
        form: How its cells are written, as the contract says it; None is the usual way.
        counts_rows: Whether its numbers increase by one from each row to the next.
        beyond: Whether a whole number is beyond those that float32 has.
        note: A sentence for users, if there was a choice.
    """

    position: int
    name: str
    type: ColumnType
    value: str
    form: str | None = None
    counts_rows: bool = False
    beyond: bool = False
    note: str | None = None


class Inferred:
    """What the cells of a table contain. `decimal_mark` is `.` or `,`."""

    def __init__(self, cells: Cells) -> None:
        """Count the kinds of cells in all columns."""
        self._cells = cells
        self.decimal_mark = "."
        self._words_of: dict[int, Words] = {}
        self._counts = list(counted(self._cells, self.decimal_mark))
        others = [place for place, counts in enumerate(self._counts) if counts.numbers < counts.present]
        others = [place for place in others if place not in cells.typed]
        if others and self._has_decimal_commas(others):
            self.decimal_mark = ","
            self._counts = list(counted(self._cells, self.decimal_mark))

    def present(self, position: int) -> int:
        """Return how many cells of a column have a value, read as numbers, booleans or datetimes."""
        return self._counts[position].present

    def is_numeric(self, position: int) -> bool:
        """Return whether a column has numbers only. Codes such as 007 are none, and neither is what is stored as text.

        A column without values is not numeric.
        """
        counts = self._counts[position]
        is_code = counts.codes > 0 and counts.whole == counts.present
        return position not in self._cells.texts and 0 < counts.numbers == counts.present and not is_code

    def is_boolean(self, position: int) -> bool:
        """Return whether a column has only words for true and false, of one pair."""
        present = self._counts[position].present
        return present > 0 and present in self._words(position).pairs

    def is_mostly_numeric(self, position: int) -> bool:
        """Return whether more than half of a column's values are numbers, and others are not."""
        counts = self._counts[position]
        return position not in self._cells.texts and counts.present / 2 < counts.numbers < counts.present

    def distinct(self, position: int) -> tuple[int, int]:
        """Return how many different texts a column has, and how many cells are filled.

        The first number is exact if it is near the second, and an estimate otherwise.
        """
        column, filled, estimate = f"c{position}", self._counts[position].filled, self._estimate(position)
        if estimate < LIKELY_UNIQUE_SHARE * filled:
            return estimate, filled
        ((exact,),) = self._cells.query(f"count(DISTINCT {column})", [position], f"WHERE {column} <> ''")
        return exact, filled

    def number(self, position: int) -> str:
        """Return SQL for the number in a cell of this column, finite as float32; NULL if there is none."""
        typed = self._cells.typed.get(position)
        if typed and typed.kind is not ColumnType.DATETIME:
            value = f"n{position}"
        else:
            value = number(f"c{position}", self.decimal_mark)
        return f"CASE WHEN {within_float32(value)} THEN {value} END"

    def reading(self, position: int, role: ColumnRole | None = None) -> Reading:
        """Return how a column is read. A `role` other than ignore decides, where the request gives one.

        Raises:
            DataError: Cells do not fit. Names the first one.
        """
        counts = self._counts[position]
        if role == "category" or (role is None and position in self._cells.texts and not self._is_worded(position)):
            return self._category(position)
        if role == "number" or (role is None and (self.is_numeric(position) or not counts.present)):
            return self._number(position, chosen=role is not None)
        if role is None and counts.numbers == counts.present:
            return self._category(position, "codes such as 007 begin with a zero, so they are categories")
        if role == "boolean" or (role is None and self.is_boolean(position)):
            return self._boolean(position)
        words = self._words(position)
        dates = words.iso + words.dotted + words.slashed
        if role == "datetime" or (role is None and dates + words.other_dates > counts.present / 2):
            return self._datetime(position, words)
        if self.is_mostly_numeric(position) or words.separated > counts.present / 2:
            refuse_misfit(self._cells, position, ColumnType.DOUBLE, f"({self.number(position)}) IS NULL")
        return self._category(position)

    def _is_worded(self, position: int) -> bool:
        """Return whether a column that is stored as text has words for true and false, or dates."""
        words, present = self._words(position), self._counts[position].present
        return self.is_boolean(position) or 0 < present == words.iso + words.dotted + words.slashed

    def _category(self, position: int, note: str | None = None) -> Reading:
        name = self._cells.columns[position]
        value = f"nullif(c{position}, '')"
        shown = f"{self._cells.shown(position)} is read as text: {note}" if note else None
        return Reading(position, name, ColumnType.STRING, value, note=shown)

    def _number(self, position: int, *, chosen: bool) -> Reading:
        counts = self._counts[position]
        value = self.number(position)
        self._check(position, ColumnType.DOUBLE, value)
        # Who asks for a number accepts that float32 rounds it.
        is_long = 0 < counts.whole == counts.present and not (chosen and counts.beyond)
        return Reading(
            position,
            self._cells.columns[position],
            ColumnType.LONG if is_long else ColumnType.DOUBLE,
            value,
            DECIMAL_COMMA if self.decimal_mark == "," else None,
            counts_rows=counts.steady and 1 < counts.present == self._cells.count,
            beyond=is_long and counts.beyond > 0,
        )

    def _boolean(self, position: int) -> Reading:
        digits = ("1", "0")
        no, yes = (", ".join(f"'{pair[side]}'" for pair in (*BOOLEAN_WORDS, digits)) for side in (1, 0))
        text = f"lower(c{position})"
        value = f"CASE WHEN {text} IN ({yes}) THEN 1.0::DOUBLE WHEN {text} IN ({no}) THEN 0.0::DOUBLE END"
        self._check(position, ColumnType.BOOLEAN, value)
        counts = self._words(position).pairs
        pairs = [pair for pair, count in zip(BOOLEAN_WORDS, counts, strict=True) if count]
        if sum(counts) < self._counts[position].present:
            pairs.append(digits)
        form = " ".join("/".join(pair) for pair in pairs)
        usual = form in ("", TRUE_OR_FALSE)
        name = self._cells.columns[position]
        return Reading(position, name, ColumnType.BOOLEAN, value, None if usual else form)

    def _datetime(self, position: int, words: Words) -> Reading:
        form, note = self._form(position, words)
        typed = self._cells.typed.get(position)
        value = f"n{position}" if typed and typed.kind is ColumnType.DATETIME else form.seconds(f"c{position}")
        self._check(position, ColumnType.DATETIME, value)
        return Reading(position, self._cells.columns[position], ColumnType.DATETIME, value, form.name, note=note)

    def _form(self, position: int, words: Words) -> tuple[DateForm, str | None]:
        if words.slashed <= max(words.iso, words.dotted):
            return (ISO_FORM if words.iso >= words.dotted else DOTTED_FORM), None
        day_first, month_first = (words.first or 0) > LAST_MONTH, (words.second or 0) > LAST_MONTH
        shown = self._cells.shown(position)
        if not day_first and not month_first:
            raise DataError(
                f"{self._cells.name}: {shown} has dates such as 1/2/2025, and no day above {LAST_MONTH} shows whether "
                "the day or the month is first; write dates as 2025-12-31, or set the column to category or ignore "
                "(columns)"
            )
        order = "day" if day_first else "month"
        return (DAY_FIRST if day_first else MONTH_FIRST), f"{shown} has dates whose first number is the {order}"

    def _check(self, position: int, kind: ColumnType, value: str) -> None:
        """Raise DataError if a cell that is there has no value."""
        counts = self._counts[position]
        if kind is ColumnType.DOUBLE and counts.numbers == counts.present:
            return
        ((values,),) = self._cells.query(f"count({value})", [position])
        if values < counts.present:
            refuse_misfit(self._cells, position, kind, f"({value}) IS NULL")

    def _words(self, position: int) -> Words:
        if position not in self._words_of:
            self._words_of[position] = self._counted_words(position)
        return self._words_of[position]

    def _counted_words(self, position: int) -> Words:
        typed = self._cells.typed.get(position)
        if typed and typed.kind is ColumnType.DATETIME:
            return Words.of_times(self._counts[position].filled)
        return counted_words(self._cells, position, self._estimate(position))

    def _estimate(self, position: int) -> int:
        distinct = self._counts[position].distinct
        return estimated_distinct(self._cells, position) if distinct is None else distinct

    def _has_decimal_commas(self, positions: Sequence[int]) -> bool:
        """Return whether commas are decimal marks: not if they can be thousands separators, or if there are points."""
        commas = thousands = points = 0
        for part in query_parts(positions):
            (results,) = self._cells.query(
                ", ".join(
                    f"count_if({_matches(f'c{place}', mark, pattern)})"
                    for place in part
                    for mark, pattern in ((",", WITH_COMMA), (",", PERHAPS_THOUSANDS), (".", WITH_POINT))
                ),
                part,
            )
            for index, place in enumerate(part):
                with_comma, perhaps, with_point = results[3 * index : 3 * index + 3]
                counts = self._counts[place]
                if with_comma and with_comma + counts.numbers > counts.present / 2:
                    commas, thousands, points = commas + with_comma, thousands + perhaps, points + with_point
        return commas > thousands and not points and not self._has_points()

    def _has_points(self) -> bool:
        """Return whether a column of numbers has decimal points."""
        numeric = [place for place in range(len(self._counts)) if self.is_numeric(place)]
        return any(
            self._cells.query(
                " OR ".join(f"bool_or({_matches(f'c{place}', '.', WITH_POINT)})" for place in part),
                part,
            )[0][0]
            for part in query_parts(numeric)
        )


def _matches(column: str, mark: str, pattern: str) -> str:
    """Return SQL for whether a cell matches a pattern that needs a mark, which most cells lack."""
    return f"CASE WHEN contains({column}, '{mark}') THEN regexp_full_match({column}, '{pattern}') ELSE false END"
