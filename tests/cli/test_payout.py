"""`keisan payout`: list and create; what a payout does is tried in tests/contracts/control/test_payout.py."""

import pytest

from keisan.cli.exit_code import ExitCode
from keisan.kit.ids import create_id
from tests.cli.conftest import CommandLine


def test_no_payouts_says_so(command_line: CommandLine) -> None:
    assert command_line.run("payout", "list").aside == "nothing here\n"
    assert command_line.run("payout", "list", "--json").told == []


def test_unknown_statement_is_not_found(command_line: CommandLine) -> None:
    answer = command_line.run("payout", "create", str(create_id()), "--amount", "250", "--note", "reference 7")
    assert answer.code == ExitCode.NOT_FOUND


@pytest.mark.parametrize("amount", ["0", "-1", "1e3", "0.0000000001"])
def test_wrong_amount_is_refused(command_line: CommandLine, amount: str) -> None:
    assert command_line.run("payout", "create", str(create_id()), f"--amount={amount}").code == ExitCode.USAGE
