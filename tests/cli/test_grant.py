"""`keisan grant`: what a grant does is tried in tests/contracts/control/test_grant.py."""

from keisan.cli.exit_code import ExitCode
from keisan.cli.grant import describe_want
from keisan.domain.grant import GrantState
from keisan.kit.ids import create_id
from keisan.wire.grant import show_want
from tests.cli.conftest import CommandLine
from tests.federation.grant_samples import build_answer, build_want

CHILD = "c" * 64


def test_platform_that_never_joined_has_no_terms(command_line: CommandLine) -> None:
    assert command_line.run("grant", "terms").code == ExitCode.NOT_FOUND


def test_child_is_asked_and_the_want_is_shown_and_ended(command_line: CommandLine) -> None:
    words = ("grant", "ask", CHILD, "--count", "2", "--chip", "cpu-x86-64", "--hours", "2", "--on-expiry", "release")
    asked = command_line.run(*words, "--json").told
    assert (asked["child_id"], asked["count"], asked["duration_s"], asked["on_expiry"]) == (CHILD, 2, 7200, "release")
    want_id = asked["id"]
    assert want_id in command_line.run("grant", "list").out
    assert command_line.run("grant", "show", want_id).out == f"{want_id}: open, not answered, until now\n"
    assert command_line.run("grant", "renew", want_id, "--json").told["renewal"] == 2
    assert command_line.run("grant", "end", want_id, "--json").told["state"] == "ended"
    assert command_line.run("grant", "end", want_id).code == ExitCode.REFUSED


def test_unknown_grant_is_not_found(command_line: CommandLine) -> None:
    grant_id = str(create_id())
    for words in (("approve",), ("show",), ("end",), ("renew",)):
        assert command_line.run("grant", *words, grant_id).code == ExitCode.NOT_FOUND
    assert command_line.run("grant", "refuse", grant_id, "no").code == ExitCode.NOT_FOUND
    assert command_line.run("grant", "ask", "nobody").code == ExitCode.USAGE


def test_want_is_told_with_its_answer() -> None:
    assert describe_want(show_want(build_want(answer=build_answer()), None)) == "open, issued"
    refused = build_answer(state=GrantState.REFUSED, reason="too many")
    assert describe_want(show_want(build_want(answer=refused), None)) == "open, refused: too many"
