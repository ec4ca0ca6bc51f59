"""`keisan organizations`: listed, bounded, under a policy, and how they pay."""

from tests.cli.conftest import CommandLine


def test_organization_is_changed_part_by_part(command_line: CommandLine) -> None:
    [found] = command_line.run("organizations", "list", "--json").told
    name = found["name"]
    limited = command_line.run("organizations", "limit", name, "--requests-per-minute", "6000")
    assert (limited.code, limited.out) == (0, f"{name}: 6000 requests/min\n")
    assert command_line.run("organizations", "policy", found["id"], "region in JP").out == f"{name}: region in JP\n"
    assert command_line.run("organizations", "billing", name, "prepaid").out == f"{name} is prepaid\n"
    assert command_line.run("organizations", "snapshot-age", name, "3600").out == f"{name}: 3600 s\n"
    assert command_line.run("organizations", "time-zone", name, "Asia/Tokyo").out == f"{name}: Asia/Tokyo\n"
    assert command_line.run("organizations", "time-zone", name, "Tokyo").code != 0
    assert command_line.run("organizations", "time-zone", name, "UTC").code == 0
    [line] = [line for line in command_line.run("organizations", "list").out.splitlines() if name in line]
    assert all(word in line for word in ("prepaid", "6000 requests/min", "region in JP"))
    # Back, because other tests use the same platform.
    assert command_line.run("organizations", "policy", name, "none").out == f"{name}: none\n"
    assert command_line.run("organizations", "billing", name, "postpaid").out == f"{name} is postpaid\n"
    assert command_line.run("organizations", "snapshot-age", name, "none").out == f"{name}: any age\n"
    assert command_line.run("organizations", "limit", name, "--requests-per-minute", "none").out == f"{name}: none\n"


def test_unknown_organization_and_odd_words_are_faults(command_line: CommandLine) -> None:
    answer = command_line.run("organizations", "limit", "nobody")
    assert answer.code == 5
    assert "there is no organization 'nobody'; there are: " in answer.aside
    assert command_line.run("organizations", "billing", "default", "later").code == 2
    refused = command_line.run("organizations", "snapshot-age", "default", "soon")
    assert (refused.code != 0, "'soon' (SECONDS)" in refused.aside) == (True, True)


def test_developer_may_not_change_one(command_line: CommandLine) -> None:
    [found] = command_line.run("organizations", "list", "--json", key=command_line.developer_key).told
    assert command_line.run("organizations", "limit", found["id"], key=command_line.developer_key).code == 4


def test_wallet_is_filled_with_what_people_type(command_line: CommandLine) -> None:
    [found] = command_line.run("organizations", "list", "--json").told
    first = command_line.run("organizations", "top-up", found["name"], "0.5", "XTS", "--note", "invoice 7")
    assert (first.code, first.out) == (0, f"{found['name']} has 0.50 XTS\n")
    second = command_line.run("organizations", "top-up", found["id"], "250", "XTS", "--json")
    assert (second.told["amount_nano"], second.told["balance_nano"]) == ("250000000000", "250500000000")
    assert "organization.topped_up" in command_line.run("logs").out


def test_odd_amounts_fill_no_wallet(command_line: CommandLine) -> None:
    for amount, currency in (("0", "XTS"), ("1.0000000001", "XTS"), ("much", "XTS"), ("1", "yen")):
        refused = command_line.run("organizations", "top-up", "default", amount, currency)
        assert (refused.code, "expected an amount above zero" in refused.aside) == (2, True)
    denied = command_line.run("organizations", "top-up", "default", "1", "XTS", key=command_line.developer_key)
    assert denied.code == 4
