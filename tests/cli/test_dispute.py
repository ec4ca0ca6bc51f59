"""`keisan dispute`: list, open, reject, uphold; what a dispute does is tried in tests/contracts/control/test_dispute.py."""

from keisan.cli.dispute import _show_amount
from keisan.cli.exit_code import ExitCode
from keisan.kit.ids import create_id
from keisan.wire.dispute import show_dispute
from tests.cli.conftest import CommandLine
from tests.domain.samples import build_dispute


def test_no_disputes_says_so(command_line: CommandLine) -> None:
    assert command_line.run("dispute", "list").aside == "nothing here\n"
    assert command_line.run("dispute", "list", "--json").told == []


def test_operator_disputes_nothing(command_line: CommandLine) -> None:
    words = ("dispute", "open", str(create_id()), "counted twice", "--record", str(create_id()))
    assert command_line.run(*words).code == ExitCode.NOT_PERMITTED


def test_unknown_dispute_is_not_found(command_line: CommandLine) -> None:
    dispute_id = str(create_id())
    assert command_line.run("dispute", "reject", dispute_id, "no").code == ExitCode.NOT_FOUND
    assert command_line.run("dispute", "uphold", dispute_id, "0.5", "yes").code == ExitCode.NOT_FOUND
    assert command_line.run("dispute", "uphold", dispute_id, "half", "yes").code == ExitCode.USAGE


def test_amount_is_shown_once_there_is_one() -> None:
    assert _show_amount(show_dispute(build_dispute())) == ""
    assert _show_amount(show_dispute(build_dispute(amount_nano=500))) == "0.0000005 CNY"
