"""The client reads the cells of a CSV file as the console does: both read the same cases."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from mlops_contract import Column, ColumnType
from mlops_contract.cells import reader_of

CASES = json.loads((Path(__file__).parents[3] / "console/tests/csv-cells.json").read_text())


@pytest.mark.parametrize(("kind", "form", "cell", "value"), CASES)
def test_a_cell_is_read_as_the_console_reads_it(kind: str, form: str | None, cell: str, value: Any) -> None:
    found = reader_of(Column("a", ColumnType(kind), 0), form)(cell)
    # Beyond a double, which JSON does not have: the contract refuses it.
    assert found == (math.inf if value == "inf" else value)
    assert isinstance(found, bool) == isinstance(value, bool)
