"""`keisan policy check`: what a policy says of each chip, and why it could not be set."""

import pytest

from keisan.cli.policy import describe_policy, read_policy
from keisan.domain.errors import InvalidInput
from tests.cli.conftest import CommandLine


def test_check_shows_the_stored_text_and_each_chip(command_line: CommandLine) -> None:
    answer = command_line.run("policy", "check", "advisory none;designed_in in CN , US;region in JP")
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert lines[0] == "advisory none; designed_in in CN, US; region in JP"
    [h20] = [line.split() for line in lines if line.split()[:1] == ["nvidia-h20"]]
    assert h20 == ["nvidia-h20", "fails", "advisory", "none"]
    [metax] = [line.split() for line in lines if line.strip().startswith("metax-c600")]
    assert metax == ["metax-c600", "holds"]
    told = command_line.run("policy", "check", "advisory none", "--json").told
    assert {"chip": "cpu-x86-64", "outcome": "unknown", "clause": "advisory none"} in told["chips"]


def test_policy_that_could_not_be_set_is_a_fault(command_line: CommandLine) -> None:
    answer = command_line.run("policy", "check", "vendor in Nobody")
    assert answer.code != 0
    assert "'vendor in Nobody'" in answer.aside


def test_none_asks_for_nothing() -> None:
    assert (read_policy(" none "), read_policy("advisory none"), read_policy("")) == ("", "advisory none", "")
    assert (describe_policy(""), describe_policy("advisory none")) == ("none", "advisory none")
    with pytest.raises(InvalidInput):
        read_policy("x" * 2049)
