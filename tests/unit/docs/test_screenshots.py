"""How pictures of the terminal are made; the ones that are kept are looked at in test_pages.py."""

import sys

from tools.screenshots.scene import DRIFTS_FROM, HOURS, NIGHT, day
from tools.screenshots.terminal import ERASED, on_terminal, svg


def test_a_command_believes_to_be_on_a_terminal_of_that_width():
    code = "import os, sys; print(sys.stdout.isatty(), os.get_terminal_size().columns); sys.exit(3)"
    assert on_terminal([sys.executable, "-c", code], {}, columns=77) == (3, "True 77\r\n")


def test_keys_are_typed_when_something_was_written():
    code = "print('name?', flush=True); print('hello', input())"
    ended, written = on_terminal(
        [sys.executable, "-c", code],
        {},
        columns=80,
        typed=lambda written: b"Ada\n" if written.endswith("name?\r\n") else b"",
    )
    assert (ended, written.splitlines()[-1]) == (0, "hello Ada")


def test_a_picture_has_text_and_colours_and_names_no_other_host():
    picture = svg("test", "\x1b[32mgreen\x1b[0m and plain", "below")
    assert "green" in picture
    assert "below" in picture
    assert "#6fd397" in picture, "our green"
    assert "font-face" not in picture
    assert picture.count("http") == picture.count("http://www.w3.org/2000/svg") == 1
    assert ERASED not in picture


def test_the_day_of_the_pictures_has_a_quiet_night_and_ends_in_drift():
    hours = dict(day(["usual"] * 3, ["changed"] * 3))
    assert list(hours) == list(reversed(range(HOURS)))
    assert [len(hours[hour]) for hour in NIGHT] == [1] * len(NIGHT)
    assert [hours[hour].count("changed") for hour in range(DRIFTS_FROM, -1, -1)] == [0, 1, 2, 3, 3, 3]
