"""Read the cells of a file of JSON lines: one object per line, whose keys are columns."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_contract.cells import BLANKS
from mlops_contract.contract import MAX_COLUMNS
from mlops_data.errors import DataError
from mlops_data.tables.cells import PLACE, Cells, trimmed
from mlops_data.tables.database import quoted, write_parquet

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MAX_LINE = 16 * 1024 * 1024
NESTED = ("OBJECT", "ARRAY")
SEPARATOR = "\x1f"
"""A control character, which JSON only has escaped: each line is one cell."""


def read_cells(connection: "DuckDBPyConnection", name: str, file: Path) -> Cells:
    """Read a UTF-8 file of JSON lines. A key that an object lacks is a missing value.

    Raises:
        DataError: A line is not an object, or a value is nested. Names the first line.
    """
    objects = _Objects(connection, name, file)
    objects.load()
    keys = objects.keys()
    texts = objects.texts(keys)
    parquet = file.with_suffix(".parquet")
    objects.write_cells(keys, parquet)
    return Cells(
        connection,
        name,
        parquet,
        [key.strip() for key in keys],
        header=name,
        locate=lambda row: f"line {objects.line(row)}",
        texts=texts,
    )


class _Objects:
    """The objects of the file, as text in a Parquet file with the column `line`."""

    def __init__(self, connection: "DuckDBPyConnection", name: str, file: Path) -> None:
        self._connection = connection
        self._name = name
        self._file = file
        self._parquet = file.with_name("lines.parquet")

    def load(self) -> None:
        """Write the lines that are not blank. Raises DataError if one of them is not an object."""
        self._check_separator()
        write_parquet(
            self._connection,
            f"SELECT line FROM read_csv({quoted(str(self._file))}, auto_detect = false, header = false, "
            f"delim = '{SEPARATOR}', quote = '', escape = '', columns = {{'line': 'VARCHAR'}}, new_line = '\\n', "
            f"parallel = false, max_line_size = {MAX_LINE}) WHERE {trimmed('line')} <> ''",
            MAX_COLUMNS,
            self._parquet,
        )
        # json_type fails on what is not JSON, so it is only asked about what is.
        is_object = "CASE WHEN json_valid(line) THEN json_type(line) = 'OBJECT' ELSE false END"
        wrong = self._query(f"{PLACE}, line", f"WHERE NOT ({is_object}) ORDER BY {PLACE} LIMIT 1")
        for row, line in wrong:
            hint = ", and this is an array; write its elements on lines of their own" if line.startswith("[") else ""
            raise DataError(f"{self._name}: line {self.line(row)}: each line must be one JSON object{hint}")

    def keys(self) -> list[str]:
        """Return the keys of all objects, in the order in which they first appear."""
        found = self._connection.execute(
            f"SELECT key FROM (SELECT {PLACE} AS place, unnest(json_keys(line)) AS key, "
            f"unnest(range(len(json_keys(line)))) AS index FROM {self._source}) "
            "GROUP BY key ORDER BY min(place), arg_min(index, place), key"
        ).fetchall()
        if not found:
            raise DataError(f"{self._name}: no rows; add lines with one JSON object each")
        if len(found) > MAX_COLUMNS:
            raise DataError(f"{self._name}: {len(found)} columns, and at most {MAX_COLUMNS} are allowed")
        return [key for (key,) in found]

    def texts(self, keys: Sequence[str]) -> frozenset[int]:
        """Return the positions of the keys whose values are strings. Raises DataError for a nested value."""
        kinds: dict[int, set[str]] = {}
        found = self._connection.execute(
            f"SELECT index, kind, min(place) FROM (SELECT {PLACE} AS place, "
            f"unnest(json_type(line, {_pointers(keys)})) AS kind, unnest(range({len(keys)})) AS index "
            f"FROM {self._source}) WHERE kind IS NOT NULL GROUP BY index, kind ORDER BY min(place), index"
        ).fetchall()
        for index, kind, row in found:
            if kind in NESTED:
                shown = "an object" if kind == "OBJECT" else "an array"
                raise DataError(
                    f"{self._name}: line {self.line(row)}, column {keys[index]!r}: {shown} is nested, which is not "
                    "supported; give each of its values a key of its own, or remove it"
                )
            kinds.setdefault(index, set()).add(kind)
        return frozenset(index for index, found_kinds in kinds.items() if found_kinds <= {"VARCHAR", "NULL"})

    def write_cells(self, keys: Sequence[str], parquet: Path) -> None:
        """Write the values of the keys as text."""
        cells = ", ".join(f"{trimmed(f'cells[{index + 1}]')} AS c{index}" for index in range(len(keys)))
        write_parquet(
            self._connection,
            f"SELECT {cells} FROM (SELECT json_extract_string(line, {_pointers(keys)}) AS cells FROM {self._source})",
            len(keys),
            parquet,
        )

    def line(self, row: int) -> int:
        """Return the line of the file that has a row."""
        with self._file.open(encoding="utf-8") as file:
            lines = (number for number, line in enumerate(file, 1) if line.strip(BLANKS))
            return next(itertools.islice(lines, row, None))

    def _check_separator(self) -> None:
        with self._file.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if SEPARATOR in line:
                    raise DataError(f"{self._name}: line {number}: it has a control character; each line must be JSON")

    def _query(self, selected: str, rest: str) -> list[tuple[int, str]]:
        return self._connection.execute(
            f"SELECT {selected} FROM (SELECT {PLACE}, line FROM {self._source}) {rest}"
        ).fetchall()

    @property
    def _source(self) -> str:
        return f"read_parquet({quoted(str(self._parquet))})"


def _pointers(keys: Sequence[str]) -> str:
    """Return SQL for the list of the keys' JSON pointers."""
    escaped = (key.replace("~", "~0").replace("/", "~1") for key in keys)
    return f"[{', '.join(quoted(f'/{key}') for key in escaped)}]"
