"""`mlops data describe` reads tables as the console's view Data does: both read the same cases."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mlops_client.cli.data import TYPES
from mlops_client.describing import describe
from mlops_client.errors import BadInput

CASES = json.loads((Path(__file__).parents[3] / "console/tests/described-tables.json").read_text())


def file_of(case: dict[str, Any]) -> str:
    """Return the file of a case: console/tests/describe.test.ts writes the same."""
    lines = [case["header"]]
    for i in range(case.get("rows", 60)):
        values = {
            "i": str(i + 1),
            "i3": str(i // 3),
            "m9": str(i % 9 + 1),
            "d": f"{i % 28 + 1:02}",
            "yn": "Yes" if i % 2 else "no",
            "pq": "p" if i % 3 else "q",
            "abc": "abc"[i % 3],
            "u": f"text {i}",
            "na": f"{i}.5" if i % 5 else "NA",
            "land": "DE" if i % 5 else "NA",
            "oops": "oops" if i == 7 else str(i % 9),
            "feb": "2026-02-30" if i == 7 else "2026-02-20",
        }
        cells = [re.sub(r"\{(\w+)\}", lambda found: values[found[1]], cell) for cell in case["row"]]  # noqa: B023
        lines.append(case.get("delimiter", ",").join(cells))
    return "\n".join([*lines, ""])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["what"])
def test_a_table_is_read_as_the_console_describes_it(case: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(file_of(case))
    if "refused" in case:
        said = re.escape(case["refused"].replace('"', "'"))
        with pytest.raises(BadInput, match=f"line {case['line']}.*{said}" if "line" in case else said):
            describe(path)
        return
    profile = describe(path)
    assert {column.name: TYPES.get(column.type, column.type) for column in profile.columns} == case["columns"]
    left_out = {column.name: column.reason for column in profile.left_out}
    assert left_out.keys() == case["left_out"].keys()
    for name, reason in case["left_out"].items():
        assert reason in left_out[name]
    assert profile.target.task == case["task"]
    assert len(profile.target.classes or ()) == case["classes"]
