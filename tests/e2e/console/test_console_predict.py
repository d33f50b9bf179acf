"""Predict in the browser: a form, a drawing and code by the model's contract."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest

from tests.support.console import PATIENCE, draw, go
from tests.support.console_scene import customers, leaves

pytestmark = pytest.mark.slow  # jobs, models or a browser of its own
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect


def test_a_drawn_seven_is_read_as_a_seven_as_the_contract_says_how_digits_are_framed(open_console, scene):
    page = open_console("jobs")
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.url))
    go(page, f"predict?model={scene.digits}")
    expect(page.get_by_role("button", name="Digits")).to_have_attribute("aria-pressed", "true")
    draw(page, [(0.25, 0.15), (0.72, 0.15), (0.42, 0.88)])
    draw(page, [(0.32, 0.5), (0.76, 0.5)])  # the data set's sevens have a bar
    expect(page.get_by_test_id("says-Production")).to_have_text("7")
    expect(page.get_by_test_id("says-Staging")).to_be_visible()
    assert not [url for url in asked if "/train/" in url], "the frame is not guessed from jobs"
    expect(page.get_by_label("Production's probabilities").get_by_role("listitem")).to_have_count(10)
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_role("region", name="Production").get_by_text("Draw something.")).to_be_visible()


def test_the_pad_can_be_drawn_on_with_the_keyboard_alone(open_console, scene):
    page = open_console(f"predict?model={scene.digits}")
    page.get_by_role("application").focus()
    for key in [" ", *["ArrowDown"] * 20]:
        page.keyboard.press(key)
    expect(page.get_by_test_id("says-Production")).to_have_text(re.compile(r"^\d$"))
    page.keyboard.press("Delete")
    expect(page.get_by_test_id("says-Production")).to_be_hidden()


# A picture of an upright stroke, dropped on the pad as from another window.
DROP = """async ([paper, ink]) => {
  const canvas = new OffscreenCanvas(200, 300);
  const paint = canvas.getContext("2d");
  paint.fillStyle = paper;
  paint.fillRect(0, 0, 200, 300);
  paint.fillStyle = ink;
  paint.fillRect(85, 40, 34, 220);
  const dropped = new DataTransfer();
  dropped.items.add(new File([await canvas.convertToBlob()], "one.png", { type: "image/png" }));
  const pad = document.querySelector(".pad");
  pad.dispatchEvent(new DragEvent("drop", { dataTransfer: dropped, bubbles: true, cancelable: true }));
}"""


def test_a_dropped_picture_is_read_as_ink_on_paper_or_in_the_dark(open_console, scene):
    page = open_console(f"predict?model={scene.digits}")
    expect(page.get_by_role("button", name="Digits")).to_have_attribute("aria-pressed", "true")
    for paper, ink in (("white", "black"), ("black", "white")):
        page.evaluate(DROP, [paper, ink])
        expect(page.get_by_test_id("says-Production")).to_have_text("1")
        page.get_by_role("button", name="Clear").click()
        expect(page.get_by_test_id("says-Production")).to_be_hidden()
    page.get_by_label("Open a picture").set_input_files(
        {"name": "note.txt", "mimeType": "text/plain", "buffer": b"no picture"}
    )
    expect(page.get_by_role("alert")).to_contain_text("note.txt is not a picture")


def test_a_table_has_a_form_by_its_contract_that_says_what_each_column_adds(open_console, api, scene):
    page = open_console(f"predict?model={scene.table}")
    contract = api.get(f"/models/{scene.table}/contract")
    for column in contract["columns"]:
        expect(page.get_by_label(column["name"], exact=True)).to_be_visible()
    expect(page.get_by_label("member", exact=True).get_by_role("option")).to_have_text(["–", "true", "false"])
    page.get_by_label("income", exact=True).fill("9000")
    page.get_by_label("age", exact=True).fill("")
    page.get_by_label("job", exact=True).fill("pilot")
    page.get_by_label("Explain what each column adds").check()
    page.get_by_role("button", name="Predict", exact=True).click()
    row = {**contract["example"]["request"]["row"], "income": 9000, "age": None, "job": "pilot"}
    answer = api.post("/predict?explain=true", {"row": row, "model_name": scene.table})
    expect(page.get_by_test_id("says-Production")).to_have_text(str(answer["prediction"]))
    bars = page.get_by_label("What each column adds, Production").get_by_role("listitem")
    expect(bars).to_have_count(len(answer["explanation"]["parts"]))
    most = max(answer["explanation"]["parts"].items(), key=lambda part: abs(part[1]))
    expect(bars.first).to_contain_text(most[0])
    page.wait_for_timeout(400)  # until they have grown
    widths = bars.locator(".fill").evaluate_all("all => all.map(bar => bar.getBoundingClientRect().width)")
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 20
    expect(page.get_by_role("region", name="Staging")).to_contain_text("No version is in Staging.")


def test_a_pasted_row_fills_the_form_and_what_is_copied_runs(open_console, api, stack, scene):
    page = open_console(f"predict?model={scene.table}")
    pasted = page.get_by_label("The row as JSON")
    pasted.fill("{income: 1}")
    expect(page.get_by_role("alert")).to_contain_text("This is not JSON")
    expect(page.get_by_role("button", name="Predict", exact=True)).to_be_disabled()
    row = {"income": 30_000.5, "age": 61, "member": True, "job": "the captain's"}
    pasted.fill(json.dumps({"row": row, "model_name": "another"}))
    expect(page.get_by_label("income", exact=True)).to_have_value("30000.5")
    expect(page.get_by_label("member", exact=True)).to_have_value("true")
    expect(page.get_by_label("job", exact=True)).to_have_value("the captain's")
    page.get_by_role("button", name="Predict", exact=True).click()
    expected = api.post("/predict", {"row": row, "model_name": scene.table})["prediction"]
    expect(page.get_by_test_id("says-Production")).to_have_text(str(expected))
    answered = {}
    for language, program in (("curl", ["bash", "-c"]), ("Python", [sys.executable, "-c"])):
        page.get_by_role("button", name=language, exact=True).click()
        code = page.get_by_test_id("code").text_content()
        if language == "Python":
            code = f"{code.replace('Client().predict', 'print(Client().predict')}.prediction)"
        answered[language] = run(program, code, stack)
    assert json.loads(answered["curl"])["prediction"] == expected
    assert answered["Python"].strip() == str(expected)
    page.get_by_role("button", name="Command line", exact=True).click()
    expect(page.get_by_test_id("code")).to_contain_text(f"--model {scene.table}")


DROP_TABLE = """([name, text]) => {
  const dropped = new DataTransfer();
  dropped.items.add(new File([text], name, { type: "text/csv" }));
  const place = document.querySelector("[aria-label='A place to drop a CSV file']");
  place.dispatchEvent(new DragEvent("drop", { dataTransfer: dropped, bubbles: true, cancelable: true }));
}"""


def test_a_dropped_file_is_answered_row_by_row_and_saved_with_all_answers(open_console, api, scene, tmp_path):
    # Rows that have moved, as all that the scene has asked for: the tests of Watching look at them too.
    rows = [{**row, "leaves": leaves(row)} for row in customers(250, 11, moved=True)]
    page = open_console(f"predict?model={scene.table}")
    sent: list[Any] = []
    page.on("request", lambda one: sent.append(one.post_data_json) if one.url.endswith("/predict/batch") else None)
    place = page.get_by_role("region", name="Rows of a file")
    expect(place.get_by_text("Open a CSV file")).to_be_visible()
    page.evaluate(DROP_TABLE, ["new.csv", text_of(rows)])
    place.get_by_role("button", name="Predict all rows").click()
    expect(place.get_by_role("alert")).to_contain_text("Line 1: the model does not have leaves.")
    assert sent == []
    place.get_by_label("Leave out what the model does not have: leaves").check()
    place.get_by_role("button", name="Predict all rows").click()
    expect(place.get_by_text("250 of 250 rows")).to_be_visible()
    version = api.get(f"/models/{scene.table}")["production_version"]
    assert [(len(body["rows"]), body["version"]) for body in sent] == [(100, version), (100, version), (50, version)]
    told = [row for body in sent for row in body["rows"]]
    assert told == [{name: value for name, value in row.items() if name != "leaves"} for row in rows]

    answers = [
        api.post("/predict/batch", {"rows": told[start : start + 100], "model_name": scene.table})
        for start in range(0, 250, 100)
    ]
    predictions = [each for answer in answers for each in answer["predictions"]]
    shown = place.get_by_role("region", name="Table of answers").locator("tbody tr")
    expect(shown).to_have_count(200)
    assert shown.locator("td:nth-child(2)").all_text_contents() == predictions[:200]
    assert shown.locator("th").all_text_contents() == [str(line) for line in range(2, 202)]
    with page.expect_download() as download:
        place.get_by_role("button", name="Download all answers").click()
    assert download.value.suggested_filename == "new-answers.csv"
    download.value.save_as(tmp_path / "answers.csv")
    with (tmp_path / "answers.csv").open(newline="") as file:
        saved = list(csv.DictReader(file))
    assert [row["prediction"] for row in saved] == predictions
    assert [row["income"] for row in saved] == [str(row["income"]) for row in rows]
    confidences = [each for answer in answers for each in answer["confidences"]]
    assert [float(row["confidence"]) for row in saved] == pytest.approx(confidences)


def test_an_error_in_a_file_names_line_and_column_and_what_is_answered_stays(open_console, scene):
    page = open_console(f"predict?model={scene.table}")
    place = page.get_by_role("region", name="Rows of a file")
    expect(place.get_by_text("Open a CSV file")).to_be_visible()
    rows = customers(150, 12, moved=True)
    chosen = page.get_by_label("Open a CSV file")
    chosen.set_input_files(file_of([*rows[:120], {**rows[0], "income": "a lot"}]))
    place.get_by_role("button", name="Predict all rows").click()
    expect(place.get_by_role("alert")).to_have_text(re.compile('^Line 122, column income: "a lot" is not a number'))
    chosen.set_input_files({"name": "note.csv", "mimeType": "text/csv", "buffer": "größe".encode("latin-1")})
    expect(place.get_by_role("alert")).to_contain_text("note.csv: This is not UTF-8 text")
    # What only the API knows: this one is beyond float32.
    chosen.set_input_files(file_of([*rows[:120], {**rows[0], "income": 1e39}]))
    place.get_by_role("button", name="Predict all rows").click()
    expect(place.get_by_role("alert")).to_have_text(re.compile("^Line 122, column income: must be a finite number"))
    expect(place.get_by_text("100 of 121 rows")).to_be_visible()
    # While the API is away for longer than it is asked again, the rows that are answered stay.
    chosen.set_input_files(file_of(rows))
    page.route("**/predict/batch", lambda route: route.abort())
    place.get_by_role("button", name="Predict all rows").click()
    expect(place.get_by_role("alert")).to_contain_text("The API does not answer")
    page.unroute_all()
    place.get_by_role("button", name="Predict all rows").click()
    expect(place.get_by_text("150 of 150 rows")).to_be_visible()


def text_of(rows: list[dict[str, Any]]) -> str:
    """The rows as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    for row in rows:
        writer.writerow({name: str(cell).lower() if isinstance(cell, bool) else cell for name, cell in row.items()})
    return text.getvalue()


def file_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": "new.csv", "mimeType": "text/csv", "buffer": text_of(rows).encode()}


def run(program: list[str], code: str, stack: Any) -> str:
    """What the code prints, with the stack's key in its environment."""
    environment = {**os.environ, **{name: stack.env[name] for name in ("MLOPS_API_URL", "MLOPS_API_KEY")}}
    environment["PYTHONPATH"] = os.pathsep.join(("client", "layers/core/python"))
    done = subprocess.run([*program, code], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_the_api_refuses_is_said_where_the_answer_would_be(open_console, scene):
    page = open_console(f"predict?model={scene.table}")
    page.get_by_label("income", exact=True).fill("a lot")
    page.get_by_role("button", name="Predict", exact=True).click()
    production = page.get_by_role("region", name="Production", exact=True)
    expect(production).to_contain_text("income", timeout=PATIENCE)
    expect(page.get_by_test_id("says-Production")).to_be_hidden()
