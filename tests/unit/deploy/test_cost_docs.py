"""docs/cost.md: each row's dollars are what its arithmetic gives, and each table's end what its rows give."""

import math
import re
from dataclasses import fields
from pathlib import Path

import pytest
from samtranslator.yaml_helper import yaml_parse

from mlops.domain.prices import ADDRESS_HOUR, ATTEMPTS, Prices

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
    """An idle month, what parameters add to it, a million predictions, a million with feedback, a run, a GPU hour."""
    assert [heading.rpartition(" ")[0] for heading in tables()] == [
        *2 * ["An idle month"],
        "A million predictions",
        *2 * ["A million predictions with feedback"],
        "A training run",
        *2 * ["An hour with a GPU"],
    ]


@pytest.mark.parametrize("heading", [name for name, rows in tables().items() if "together" in rows[-1][0]])
def test_rows_add_up(heading: str) -> None:
    *rows, (_, _, total) = tables()[heading]
    stated = re.sub(r"[*]|about ", "", total)
    step = 10.0 ** -len(stated.partition(".")[2].rstrip("0"))
    assert len(rows) >= 4
    assert abs(sum(float(dollars) for _, _, dollars in rows) - float(stated)) <= step / 2


def test_jobs_are_reckoned_with_the_prices_of_the_page() -> None:
    """The parameters' defaults, and those of the code where the parameters are not set."""
    declared = yaml_parse((ROOT / "template.yaml").read_text())["Parameters"]
    by_setting = {"".join(word.capitalize() for word in each.name.split("_")): each.default for each in fields(Prices)}
    assert by_setting == {name: declared[name]["Default"] for name in by_setting}
    prices = Prices()
    assert f"2 × {prices.vcpu_hour_price} + 4 × {prices.gb_hour_price} = 0.099 per hour" in COST
    assert f"0.099 × {prices.spot_price_share} = 0.030" in COST
    assert f"public IPv4 address is {ADDRESS_HOUR} per hour" in COST
    assert f"**about {prices.gpu_hour_price}**" in COST
    assert f"{ATTEMPTS} × 2 × {prices.dearest_hour(None):.3f} = {ATTEMPTS * 2 * prices.dearest_hour(None):.2f}" in COST


def test_attempts_are_reckoned_with_as_the_jobs_have_them() -> None:
    jobs = yaml_parse((ROOT / "template.yaml").read_text())["Resources"]
    for name in ("TrainingJobDefinition", "GpuJobDefinition", "CodeJobDefinition"):
        assert jobs[name]["Properties"]["RetryStrategy"]["Attempts"] == ATTEMPTS


def test_alarms_look_at_as_many_metrics_as_are_reckoned_with() -> None:
    """An alarm on an expression is paid for by the metrics in it."""
    looked_at = 0
    for name in ("template.yaml", "infra/observability.yaml"):
        for resource in yaml_parse((ROOT / name).read_text())["Resources"].values():
            if resource["Type"] == "AWS::CloudWatch::Alarm":
                metrics = resource["Properties"].get("Metrics", [{"MetricStat": "the alarm's own"}])
                looked_at += sum("MetricStat" in each for each in metrics)
    assert [how for what, how, _ in ROWS if f"look at {looked_at} metrics" in what] == [f"{looked_at - 10} × 0.10"]
