"""Tables on terminals of any width, and as programs read them."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from mlops_client.cli import output
from mlops_client.cli.drawing import bar
from mlops_client.cli.tables import Column, Shown, tab_separated, table
from mlops_client.listing import Listing

COLUMNS = [
    Column("job", 9, whole=True),
    Column("status", 8),
    Column("experiment", 3),
    Column("why", 9, wrap=True),
    Column("epochs", 4, right=True),
    Column("", 1),
]
WHY = "the new one is worse on the rows that were held out"
ROW = ["job_000001", "completed", "customer-churn-weekly-europe-2", WHY, 123456, "█████"]


def drawn(width: int, row: list[Any] = ROW, columns: list[Column] = COLUMNS) -> list[str]:
    out = Console(file=io.StringIO(), width=width, color_system=None)
    out.print(table(columns, [row], width))
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue().splitlines()


def test_names_are_shortened_before_columns_are_left_out():
    assert all(str(each) in drawn(140)[1] for each in ROW)
    narrow = drawn(72)
    assert narrow[0].split() == ["job", "status", "experiment", "why", "epochs"], "of all, only the bars are gone"
    assert narrow[1].split()[2] == "customer-chu…rope-2", "its end says which one it is"
    assert "123456" in narrow[1], "numbers are not shortened"
    assert max(map(len, narrow)) <= 72


@pytest.mark.parametrize("width", range(24, 140, 3))
def test_the_reason_never_vanishes_and_no_line_is_too_long(width):
    lines = drawn(width)
    assert max(map(len, lines)) <= width
    words = " ".join(lines).split()
    assert "why" in words
    assert set("".join(WHY.split())) <= set("".join(words))
    if width >= 34:
        assert "job_000001" in words, "an id is whole, so that it can be copied"


def test_ids_that_are_wider_than_the_terminal_take_several_lines():
    identifier = "batch_0199a1b2c3d4e5f60718293a4b5c6d7e"
    lines = drawn(20, [identifier, "failed"], [Column("batch prediction", 9, whole=True), Column("status", 8)])
    assert max(map(len, lines)) <= 20
    assert identifier in "".join(lines).replace(" ", "")


def test_one_long_name_costs_no_other_column():
    """A name of 200 characters once left nothing in the table but itself."""
    columns = [Column("model", 9), Column("in Production", 8, right=True), Column("latest", 5, right=True)]
    lines = drawn(60, ["n" * 200, 3, 12], columns)
    assert lines[0].split() == ["model", "in", "Production", "latest"]
    assert lines[1].split()[1:] == ["3", "12"]
    assert len(lines) == 2


def test_programs_get_all_columns_as_values_between_tabs():
    moment = (datetime.now(UTC) - timedelta(hours=3)).isoformat()
    columns = [Column("name", 9), Column("accuracy", right=True), Column("created"), Column("", 1), Column("note", 0)]
    row = ["a\tname\nof two lines", output.percent(0.98765432), output.ago(moment), Text("bar"), None]
    lines = list(csv.reader(io.StringIO(tab_separated(columns, [row])), delimiter="\t"))
    assert lines == [["name", "accuracy", "created", "note"], ["a name of two lines", "0.98765432", moment, ""]]


def test_control_characters_reach_no_program():
    assert tab_separated([Column("name")], [["a\x1b]0;owned\x07b\x9b2Jc"]]) == "name\na]0;ownedb2Jc\n"


def test_a_list_without_rows_has_its_header_and_says_so_beside_it(capsys: pytest.CaptureFixture[str]):
    output.show([Column("job"), Column("status")], [], "no jobs")
    piped = capsys.readouterr()
    assert (piped.out, piped.err) == ("job\tstatus\n", "no jobs\n")


@pytest.mark.parametrize(
    ("listing", "said"),
    [
        (Listing(range(100), 204), "100 of 204; use --limit to see more\n"),
        (Listing(range(100), None, "next"), "the first 100; use --limit to see more\n"),
        (Listing(range(100), 100), ""),
    ],
)
def test_a_list_says_how_many_it_does_not_show(listing, said, capsys: pytest.CaptureFixture[str]):
    output.show_limit(listing)
    assert capsys.readouterr().err == said


def test_times_are_read_in_their_largest_units():
    start = datetime(2026, 1, 1, tzinfo=UTC)
    said = {
        seconds: str(output.duration(start.isoformat(), (start + timedelta(seconds=seconds)).isoformat()))
        for seconds in (7, 119, 300, 7260, 90_000)
    }
    assert said == {7: "7 s", 119: "119 s", 300: "5 min", 7260: "2 h 1 min", 90_000: "25 h 0 min"}
    value = output.duration(start.isoformat(), (start + timedelta(seconds=300)).isoformat())
    assert isinstance(value, Shown)
    assert value.value == 300


def test_a_bar_is_not_shown_where_it_would_take_the_place_of_a_name():
    row = ["a-name-of-22-characters", bar(1, 20, Console())]
    assert drawn(30, row, [Column("name", 9), Column("", 1)])[1].rstrip() == row[0]
