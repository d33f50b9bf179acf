"""SQL that reads dates and times from text: ISO, and forms that can be read in one way only."""

import re
from dataclasses import dataclass

from mlops_contract import cells

TIME = r"( [0-9]{1,2}:[0-9]{2}(:[0-9]{2})?)?"
ISO = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?"
    r"( ?(Z|UTC|[+-][0-9]{2}(:?[0-9]{2})?))?)?"
)
DOTTED = r"[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{4}" + TIME
SLASHED = r"[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}" + TIME
ANY_DATE = re.compile(
    r"\d{4}-\d\d?-\d\d?([ T].*)?|\d{4}[/.]\d\d?[/.]\d\d?([ T].*)?|\d\d?([./-])\d\d?\3(\d{2}|\d{4})([ T].*)?"
)
"""What looks like a date, also in forms that are not read."""
ANY_DATE_SQL = (
    r"[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}([ T].*)?|[0-9]{1,2}[-/.][0-9]{1,2}[-/.]([0-9]{2}|[0-9]{4})([ T].*)?"
)
TIMES = (" %H:%M:%S", " %H:%M", "")


@dataclass(frozen=True)
class DateForm:
    """A way to write dates: a regular expression, and SQL for the seconds since 1970 in UTC; {0} is the cell.

    `name` is what the contract calls it; None is ISO.
    """

    pattern: str
    value: str
    name: str | None = None

    def seconds(self, column: str) -> str:
        """Return SQL for the seconds as DOUBLE; NULL if the cell has no date of this form that exists."""
        value = self.value.replace("{0}", column)
        return f"CASE WHEN regexp_full_match({column}, '{self.pattern}') THEN {value} END"


def _strptime(date: str) -> str:
    formats = ", ".join(f"'{date}{time}'" for time in TIMES)
    return f"epoch(try_strptime({{0}}, [{formats}]))::DOUBLE"


@dataclass(frozen=True)
class _Iso(DateForm):
    """ISO 8601. The two usual ways to write it are read without the regular expression, which takes twice as long."""

    def seconds(self, column: str) -> str:
        usual = " ".join(
            f"WHEN strlen({column}) = {length} AND TRY_CAST({column} AS {kind})::VARCHAR = {column} "
            f"THEN epoch(TRY_CAST({column} AS {kind}))::DOUBLE"
            for kind, length in (("TIMESTAMP", len("2026-01-31 23:59:00")), ("DATE", len("2026-01-31")))
        )
        return f"CASE {usual} ELSE {super().seconds(column)} END"


ISO_FORM = _Iso(ISO, "epoch(TRY_CAST({0} AS TIMESTAMPTZ))::DOUBLE")
DOTTED_FORM = DateForm(DOTTED, _strptime("%d.%m.%Y"), cells.DOTTED)
DAY_FIRST = DateForm(SLASHED, _strptime("%d/%m/%Y"), cells.DAY_FIRST)
MONTH_FIRST = DateForm(SLASHED, _strptime("%m/%d/%Y"), cells.MONTH_FIRST)
