"""`make rotate-key` says how to revoke each old key, in commands that make takes as they are."""

import sys

import pytest

from tools import keys


class Keys:
    """Two keys of that name, left by a rotation that was not finished."""

    def rotate(self, name: str) -> tuple[str, list[str]]:
        assert name == "alice"
        return "new-value", ["old-1", "old-2"]


def test_each_old_key_has_a_command_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(keys.Keys, "of", lambda stack: Keys())
    monkeypatch.setattr(sys, "argv", ["keys", "rotate", "--name", "alice"])
    keys.main()
    output = capsys.readouterr()
    assert output.out.strip() == "new-value"
    assert [line.partition("make ")[2] for line in output.err.splitlines() if "revoke-key" in line] == [
        "revoke-key ID=old-1",
        "revoke-key ID=old-2",
    ]
