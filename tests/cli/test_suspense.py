"""`keisan suspense`: list, charge and write off; what a judgement does is tried in tests/contracts/control/test_suspense.py."""

import pytest

from keisan.cli.exit_code import ExitCode
from keisan.kit.ids import create_id
from tests.cli.conftest import CommandLine


def test_nothing_suspended_says_so(command_line: CommandLine) -> None:
    assert command_line.run("suspense", "list").aside == "nothing here\n"
    assert command_line.run("suspense", "list", "--all", "--json").told == []


@pytest.mark.parametrize("verdict", ["charge", "write-off"])
def test_record_that_suspense_did_not_pay_for_is_not_found(command_line: CommandLine, verdict: str) -> None:
    answer = command_line.run("suspense", verdict, str(create_id()), "--note", "as agreed")
    assert answer.code == ExitCode.NOT_FOUND
    assert command_line.run("suspense", verdict, "no id").code == ExitCode.USAGE
