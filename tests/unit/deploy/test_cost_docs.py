"""docs/cost.md: each row's dollars are what its arithmetic gives, and each table's end what its rows give."""

import math
import re
from pathlib import Path

import pytest
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parents[3]
COST = (ROOT / "docs" / "cost.md").read_text()
ROW = re.compile(r"^\| (?!what|---)(.+?) \| (.*?) ?\| (.+?) \|$", re.MULTILINE)


def tables() -> dict[str, list[tuple[str, str, str]]]:
    """Rows by heading and place: (what, arithmetic, dollars)."""
    found = {}
    for section in COST.split("\n## ")[1:]:
        heading, _, text = section.partition("\n")
        for number, table in enumerate(
            re.findall(r"^\|.+\| arithmetic \| dollars \|\n\| ---.*\n((?:\|.*\n)+)", text, re.M)
        ):
            found[f"{heading} {number + 1}"] = ROW.findall(table)
    return found


def value(arithmetic: str) -> float:
    """`730 h × 0.016` and the like: sums of products of numbers, whose units are words between them."""
    plain = re.sub(r"/ (\d+)", lambda found: f"× {1 / int(found[1]):.12f}", arithmetic)
    plain = plain.replace("/ million", "× 0.000001").replace(",", "")
    products = [re.findall(r"\d+(?:\.\d+)?", product) for product in plain.split(" + ")]
    return sum(math.prod(map(float, numbers)) for numbers in products)


ROWS = [(what, how, dollars) for rows in tables().values() for what, how, dollars in rows if re.search(r"\d", how)]


@pytest.mark.parametrize(("what", "how", "dollars"), ROWS, ids=[what for what, _, _ in ROWS])
def test_a_row_is_what_its_arithmetic_gives(what: str, how: str, dollars: str) -> None:
    assert round(value(how), len(dollars.partition(".")[2])) == float(dollars)


def test_what_people_ask_is_reckoned() -> None:
    """An idle month, what parameters add to it, a million predictions, a million with feedback, a run."""
    assert [heading.rpartition(" ")[0] for heading in tables()] == [
        *2 * ["An idle month"],
        "A million predictions",
        *2 * ["A million predictions with feedback"],
        "A training run",
    ]


@pytest.mark.parametrize("heading", [name for name, rows in tables().items() if "together" in rows[-1][0]])
def test_rows_add_up(heading: str) -> None:
    *rows, (_, _, total) = tables()[heading]
    stated = re.sub(r"[*]|about ", "", total)
    step = 10.0 ** -len(stated.partition(".")[2].rstrip("0"))
    assert len(rows) >= 4
    assert abs(sum(float(dollars) for _, _, dollars in rows) - float(stated)) <= step / 2


def test_alarms_look_at_as_many_metrics_as_are_reckoned_with() -> None:
    """An alarm on an expression is paid for by the metrics in it."""
    looked_at = 0
    for name in ("template.yaml", "infra/observability.yaml"):
        for resource in yaml_parse((ROOT / name).read_text())["Resources"].values():
            if resource["Type"] == "AWS::CloudWatch::Alarm":
                metrics = resource["Properties"].get("Metrics", [{"MetricStat": "the alarm's own"}])
                looked_at += sum("MetricStat" in each for each in metrics)
    assert [how for what, how, _ in ROWS if f"look at {looked_at} metrics" in what] == [f"{looked_at - 10} × 0.10"]
