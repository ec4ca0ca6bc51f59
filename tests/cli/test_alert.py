"""`keisan alerts`: listed for eyes and for programs."""

from tests.cli.conftest import CommandLine


def test_alerts_are_listed(command_line: CommandLine) -> None:
    [organization] = command_line.run("organizations", "list", "--json").told
    command_line.run("top-ups", "four-eyes", "0", "XTA")
    proposed = command_line.run("organizations", "top-up", organization["name"], "1", "XTA", "--json").told
    [alert] = [
        line for line in command_line.run("alerts", "list", "--json").told if line["subject_id"] == proposed["id"]
    ]
    assert (alert["kind"], alert["organization_id"]) == ("top_up_proposed", None)
    out = command_line.run("alerts", "list").out
    assert all(word in out for word in (alert["id"], "top_up_proposed", "currency=XTA"))
    # The platform's own business.
    assert command_line.run("alerts", "list", "--json", key=command_line.developer_key).told == []
