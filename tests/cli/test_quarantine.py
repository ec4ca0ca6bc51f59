"""`keisan quarantine`: list, accept and discard what a joined gateway handed in."""

import httpx

from keisan.cli.exit_code import ExitCode
from keisan.kit.ids import create_id
from tests.cli.conftest import CommandLine


def test_refused_record_is_listed_and_discarded_once(
    command_line: CommandLine, connected_gateway: httpx.Client
) -> None:
    line = b"\x1b[31m" + b"no record " * 20
    assert connected_gateway.post("/gateway/usage", content=line).is_success
    [told] = [each for each in command_line.run("quarantine", "list", "--json").told if each["text"] == line.decode()]
    shown = command_line.run("quarantine", "list").out
    assert told["id"] in shown
    # Whatever the bytes are, nothing of them reaches the terminal but letters.
    assert "\\x1b[31mno record" in shown
    assert "\x1b" not in shown
    never = command_line.run("quarantine", "accept", told["id"])
    assert never.out == "never_acceptable (malformed), the record is quarantined\n"
    judged = command_line.run("quarantine", "discard", told["id"], "--note", "noise", "--json").told
    assert (judged["outcome"], judged["quarantined"]["note"]) == ("discarded", "noise")
    again = command_line.run("quarantine", "discard", told["id"])
    assert again.out == "already_judged (malformed), the record is discarded\n"
    assert told["id"] not in command_line.run("quarantine", "list").out
    assert told["id"] in command_line.run("quarantine", "list", "--all").out


def test_unknown_record_is_not_found(command_line: CommandLine) -> None:
    assert command_line.run("quarantine", "accept", str(create_id())).code == ExitCode.NOT_FOUND
