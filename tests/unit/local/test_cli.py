"""The command line's own answers."""

import pytest

from infra.local.cli import main


def test_the_demo_has_options_of_its_own(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["demo", "--runs", "none"])
    assert ended.value.code == 2
    assert "--runs" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["demo", "--help"])
    assert ended.value.code == 0
    assert "--epochs" in capsys.readouterr().out


def test_an_option_that_no_command_has_is_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["down", "--runs", "1"])
    assert ended.value.code == 2
    assert "unknown arguments: --runs 1" in capsys.readouterr().err
