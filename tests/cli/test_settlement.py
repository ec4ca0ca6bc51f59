"""`keisan settlement`: on a platform that settles with nobody; what settlement does is tried in tests/contracts/control/test_settlement.py."""

import pytest

from keisan.cli.exit_code import ExitCode
from keisan.kit.ids import create_id
from tests.cli.conftest import CommandLine


@pytest.mark.parametrize("words", [("list",), ("positions", "2026-11-27"), ("disputes",)])
def test_nothing_says_so(command_line: CommandLine, words: tuple[str, ...]) -> None:
    assert command_line.run("settlement", *words).aside == "nothing here\n"
    assert command_line.run("settlement", *words, "--json").told == []


@pytest.mark.parametrize("word", ["show", "compare", "end", "receipt"])
def test_what_there_is_not_is_not_found(command_line: CommandLine, word: str) -> None:
    assert command_line.run("settlement", word, str(create_id())).code == ExitCode.NOT_FOUND


def test_a_day_is_a_day(command_line: CommandLine) -> None:
    assert command_line.run("settlement", "positions", "november").code == ExitCode.USAGE
