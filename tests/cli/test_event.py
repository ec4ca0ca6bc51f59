"""`keisan logs`: events oldest first, and of a growing log only what is new."""

import pytest

from keisan.cli.event import cut_known
from tests.cli.conftest import CommandLine


def test_events_are_shown_oldest_first(command_line: CommandLine) -> None:
    lines = command_line.run("logs", "--lines", "500").out.splitlines()
    assert "platform.created" in lines[0]
    assert any("deployment.created" in line for line in lines)


def test_only_the_newest_are_shown(command_line: CommandLine) -> None:
    before, newest, after = (command_line.run("logs", "-n", n).out.splitlines() for n in ("500", "2", "500"))
    # The platform tells events of its own meanwhile.
    assert newest in [after[end - 2 : end] for end in range(len(before), len(after) + 1)]


def test_unknown_replica(command_line: CommandLine) -> None:
    assert command_line.run("logs", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6").code == 5


def test_developer_may_not_read_events(command_line: CommandLine) -> None:
    answer = command_line.run("logs", key=command_line.developer_key)
    assert (answer.code, answer.out) == (4, "")


@pytest.mark.parametrize(
    ("shown", "tail", "new"),
    [
        ("", "a\nb\n", "a\nb\n"),
        ("a\nb\n", "a\nb\n", ""),
        ("a\nb\n", "a\nb\nc\n", "c\n"),
        ("a\nb\n", "b\nc\n", "c\n"),
        ("a\nb\n", "x\ny\n", "x\ny\n"),
        ("a\nb\n", "", ""),
    ],
)
def test_only_what_is_new_of_a_growing_log(shown: str, tail: str, new: str) -> None:
    assert cut_known(shown, tail) == new
