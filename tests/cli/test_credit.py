"""`keisan credit` and `keisan organizations admit`: as people type them, on a platform that answers."""

from tests.cli.conftest import CommandLine


def test_organization_is_admitted_elsewhere_and_dismissed(command_line: CommandLine) -> None:
    owner = command_line.run("organizations", "list", "--json").told[0]
    other = "cd" * 32
    words = ("organizations", "admit", owner["name"], other, "--policy", "region in CN-SX", "--credit-max", "2.5")
    made = command_line.run(*words, "--json")
    assert made.code == 0, made
    assert (made.told["counterparty_id"], made.told["credit_nano_max"]) == (other, "2500000000")
    assert command_line.run(*words).code != 0, "it is admitted there already"
    ended = command_line.run("organizations", "dismiss", owner["name"], other)
    assert (ended.code, ended.out) == (0, f"{owner['name']} is not admitted at cdcdcdcdcdcd any more\n")
    assert command_line.run("organizations", "dismiss", owner["name"], other).code != 0


def test_nothing_is_leased_yet(command_line: CommandLine) -> None:
    assert command_line.run("credit", "list", "--json").told == []
    assert command_line.run("credit", "list").code == 0
