"""`keisan top-ups`: what one admin alone may not post is proposed, listed and withdrawn; and alerts tell of it."""

import json

from tests.cli.conftest import CommandLine


def test_large_one_is_proposed_and_another_admin_approves_it(command_line: CommandLine) -> None:
    [organization] = command_line.run("organizations", "list", "--json").told
    name = organization["name"]
    limited = command_line.run("top-ups", "four-eyes", "100", "XTT")
    assert (limited.code, "100.00 XTT" in limited.out) == (0, True)
    assert command_line.run("organizations", "top-up", name, "100", "XTT").out == f"{name} has 100.00 XTT\n"
    proposed = command_line.run("organizations", "top-up", name, "100.5", "XTT", "--note", "large", "--json").told
    assert (proposed["state"], proposed["balance_nano"]) == ("proposed", None)
    [line] = [line for line in command_line.run("top-ups", "list").out.splitlines() if proposed["id"] in line]
    assert all(word in line for word in ("100.50 XTT", "proposed", "large"))
    own = command_line.run("top-ups", "approve", proposed["id"])
    assert (own.code, "another admin's key" in own.aside) == (4, True)
    other = command_line.run("keys", "create", "second", "--role", "platform_admin").out.strip()
    approved = command_line.run("top-ups", "approve", proposed["id"], key=other)
    assert approved.out == "100.50 XTT posted, the wallet has 200.50 XTT\n"
    assert command_line.run("top-ups", "reject", proposed["id"]).code == 6
    told = [line["subject_id"] for line in command_line.run("alerts", "list", "--json").told]
    assert proposed["id"] in told
    assert "XTT" not in command_line.run("top-ups", "four-eyes", "none", "XTT").out
    assert command_line.run("top-ups", "four-eyes", "much", "XTT").code == 2


def test_credit_note_says_why_and_is_withdrawn(command_line: CommandLine) -> None:
    [organization] = command_line.run("organizations", "list", "--json").told
    name = organization["name"]
    words = ("organizations", "credit-note", name, "2", "XTC")
    assert command_line.run(*words).code == 2
    given = command_line.run(*words, "--note", "an hour of failures", "--json").told
    assert (given["kind"], given["state"], given["balance_nano"]) == ("credit_note", "posted", "2000000000")
    command_line.run("top-ups", "four-eyes", "0", "XTC")
    proposed = command_line.run(*words, "--note", "more")
    assert "is proposed as" in proposed.out
    proposed_id = proposed.out.split(" is proposed as ")[1].split(";")[0]
    assert command_line.run("top-ups", "reject", proposed_id).out == f"2.00 XTC rejected ({proposed_id})\n"
    assert command_line.run(*words, "--note", "x", "--record", proposed_id).code == 5


def test_wallet_low_is_set_and_taken_away(command_line: CommandLine) -> None:
    [organization] = command_line.run("organizations", "list", "--json").told
    name = organization["name"]
    assert command_line.run("organizations", "wallet-low", name, "1000", "XTW").out == f"{name}: 1000.00 XTW\n"
    [found] = command_line.run("organizations", "list", "--json").told
    assert json.dumps(found["wallet_low_nano"]) == '{"XTW": "1000000000000"}'
    assert command_line.run("organizations", "wallet-low", name, "none", "XTW").out == f"{name}: none\n"
    assert command_line.run("organizations", "wallet-low", name, "little", "XTW").code == 2
