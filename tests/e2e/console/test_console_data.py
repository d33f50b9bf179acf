"""The view Data in the browser: a file before training, and the data sets that runs have used."""

import re

import pytest

from tests.support.console import findings, wider_than_window
from tests.support.console_scene import table_file

pytestmark = pytest.mark.slow  # a browser, and the models of the scene
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect


def dropped(page, name, content):
    page.get_by_label("Open a CSV file").set_input_files({"name": name, "mimeType": "text/csv", "buffer": content})


def test_a_file_is_described_as_training_reads_it_and_nothing_is_sent(open_console, axe):
    page = open_console("data")
    expect(page.get_by_label("Open a CSV file")).to_be_attached()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    dropped(page, "customers.csv", table_file())
    card = page.get_by_role("region", name="Describe a file")
    expect(card).to_contain_text("customers.csv: 1,200 rows, 5 columns.")
    expect(card).to_contain_text("is a proposal: no column has the name of a target")
    card.get_by_label("Column to predict").select_option("leaves")
    rows = card.get_by_role("region", name="Table of columns").locator("tbody tr")
    shown = {
        row.get_by_role("rowheader").text_content(): row.get_by_role("cell").nth(0).text_content() for row in rows.all()
    }
    assert shown == {"income": "number", "age": "whole number", "member": "boolean", "job": "category"}
    expect(rows.filter(has_text="age")).to_contain_text(re.compile(r"\d\.\d %"))
    expect(rows.filter(has_text="job")).to_contain_text(re.compile(r"3 values: nurse \(\d+\), baker"))
    expect(card.get_by_label("Commands that train on it")).to_contain_text("--target leaves")
    assert set(sent) <= {"GET"}, "the file stays in the browser"
    for width in (390, 768, 1024, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert wider_than_window(page) == [], width
    assert findings(page, axe) == []


def test_what_training_would_refuse_or_leave_out_is_said_with_the_line(open_console):
    page = open_console("data")
    lines = [f"{i},r{i},{'oops' if i == 5 else i % 7},{'p' if i % 2 else 'q'}" for i in range(30)]
    dropped(page, "wrong.csv", "\n".join(["id,ref,age,label", *lines]).encode())
    card = page.get_by_role("region", name="Describe a file")
    expect(card).to_contain_text('age: Line 7: "oops" is not a number.')
    expect(card).to_contain_text("it counts the rows")
    expect(card).to_contain_text("it is an id: 30 different texts in 30 rows")
    expect(card).to_contain_text("is what training takes by its name")
    dropped(page, "empty.csv", b"a,b\n")
    expect(card.get_by_role("alert")).to_contain_text("empty.csv: The file has no rows")
    expect(card).not_to_contain_text("oops")


def test_data_sets_lead_to_their_runs(open_console, api, scene):
    page = open_console("data")
    table = page.get_by_role("region", name="Table of data sets")
    row = table.get_by_role("row").filter(has_text=f"{scene.table}.csv")
    (used,) = [
        each for each in api.get("/datasets?limit=200")["datasets"] if each["name"].endswith(f"{scene.table}.csv")
    ]
    expect(row).to_have_count(1)
    expect(row.locator("code")).to_have_attribute("title", used["digest"])
    row.get_by_role("link", name=used["latest_runs"][0]["run_name"]).click()
    run = page.get_by_role("region", name="Run", exact=True)
    expect(run).to_contain_text(used["latest_runs"][0]["run_id"])
