"""Cells of CSV files in batch scoring: each is what `cells.reader_of`, with which predict reads, makes of it."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from mlops_contract import Column, ColumnType, Contract, Task
from mlops_contract.arrow_columns import ArrowEncoder
from mlops_contract.cells import DAY_FIRST, DECIMAL_COMMA, DOTTED, MONTH_FIRST, reader_of
from mlops_contract.rows import RowEncoder, RowsRefused

CELLS = [
    *("", " ", "na", "N/A", "null", "-", "nan", "inf", "1e400", "x", "None"),
    *(
        "1",
        "-1",
        "+1",
        "1.",
        ".5",
        "1.5",
        "1,5",
        "1.234,5",
        "1,234.5",
        "1e3",
        "007",
        "12 ",
        "\u00a03\u00a0",
        "16777217",
    ),
    *("true", "False", "YES", "no", "t", "0"),
    *(
        "2026-02-03",
        "2026-02-03 04:05",
        "2026-02-03T04:05:06Z",
        "03.02.2026",
        "3.2.2026 4:05",
        "02/03/2026",
        "31/12/2026",
    ),
]
FORMS = [
    (ColumnType.DOUBLE, None),
    (ColumnType.DOUBLE, DECIMAL_COMMA),
    (ColumnType.LONG, None),
    (ColumnType.LONG, DECIMAL_COMMA),
    (ColumnType.BOOLEAN, None),
    (ColumnType.BOOLEAN, "yes/no t/f"),
    (ColumnType.STRING, None),
    (ColumnType.DATETIME, None),
    *((ColumnType.DATETIME, form) for form in (DOTTED, DAY_FIRST, MONTH_FIRST)),
]


@pytest.mark.parametrize("null_ok", [True, False], ids=["null", "no null"])
@pytest.mark.parametrize(("kind", "form"), FORMS)
def test_a_cell_is_read_as_predict_reads_it(kind: ColumnType, form: str | None, null_ok: bool) -> None:
    column = Column("a", kind, 0, null_ok=null_ok)
    contract = replace(
        Contract(Task.REGRESSION, "target", (column,)), forms={column.name: form} if form is not None else {}
    )
    batch = pa.RecordBatch.from_pydict({column.name: pa.array(CELLS, pa.string())})
    together = ArrowEncoder(contract, cells=True).encode(batch)
    read, encoder = reader_of(column, form), RowEncoder(contract)
    for place, cell in enumerate(CELLS):
        try:
            alone = encoder.encode([{column.name: read(cell)}]).feeds
        except RowsRefused as refused:
            ((_, _, reason),) = refused.refusals
            assert together.refusals[place].message == reason, cell
        else:
            assert place not in together.refusals, cell
            for name, values in alone.items():
                np.testing.assert_array_equal(together.feeds[name][place], values[0], cell)
