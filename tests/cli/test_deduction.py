"""`keisan deductions`: margins and tax, in percent."""

from tests.cli.conftest import CommandLine


def test_margin_and_tax_are_made_listed_and_withdrawn(command_line: CommandLine) -> None:
    with command_line.open_api() as api:
        provider = api.get("/providers").json()["items"][0]["name"]
    [organization] = command_line.run("organizations", "list", "--json").told
    margin = command_line.run("deductions", "make", "margin", "2.5", "--provider", provider)
    assert (margin.code, "version 1: 2.5%, from " in margin.out) == (0, True)
    words = ("--organization", organization["name"], "--from", "2090-01-01", "--until", "2091-01-01")
    tax = command_line.run("deductions", "make", "tax", "6%", *words, "--json").told
    assert (tax["rate_ppm"], tax["organization_id"]) == (60_000, organization["id"])
    everybody = command_line.run("deductions", "make", "tax", "0", "--json").told
    listed = command_line.run("deductions", "list").out.splitlines()
    [own] = [line for line in listed if tax["id"] in line]
    assert all(word in own for word in ("tax", organization["name"], "6%", "until 2091-01-01 00:00:00"))
    assert any("everybody" in line for line in listed if everybody["id"] in line)
    assert any(provider in line and "2.5%" in line for line in listed)
    withdrawn = command_line.run("deductions", "withdraw", tax["id"])
    assert (withdrawn.code, "version 2: withdrawn" in withdrawn.out) == (0, True)


def test_odd_words_are_faults(command_line: CommandLine) -> None:
    refused = command_line.run("deductions", "make", "margin", "much")
    assert (refused.code, "got 'much' (PERCENT)" in refused.aside) == (2, True)
    assert command_line.run("deductions", "make", "margin", "100.0001").code == 2
    assert command_line.run("deductions", "make", "tax", "1", "--provider", "nobody").code == 5


def test_developer_sees_tax_and_writes_none(command_line: CommandLine) -> None:
    key = command_line.developer_key
    command_line.run("deductions", "make", "tax", "0")
    seen = command_line.run("deductions", "list", "--json", key=key).told
    assert {line["kind"] for line in seen} == {"tax"}
    assert command_line.run("deductions", "make", "tax", "0", key=key).code == 4
