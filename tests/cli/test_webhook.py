"""`keisan webhooks`: made, shown, rotated and disabled."""

from tests.cli.conftest import CommandLine


def test_webhook_is_made_and_disabled(command_line: CommandLine) -> None:
    made = command_line.run("webhooks", "create", "https://receiver.example/", "--kind", "wallet_low", "--json").told
    webhook_id = made["webhook"]["id"]
    assert made["secret"].startswith("ws-keisan-")
    line = command_line.run("webhooks", "list").out
    assert all(word in line for word in (webhook_id, "the platform", "wallet_low", "enabled"))
    rotated = command_line.run("webhooks", "rotate", webhook_id).out
    assert rotated.startswith("ws-keisan-")
    assert rotated.strip() != made["secret"]
    assert command_line.run("webhooks", "disable", webhook_id).out == "https://receiver.example/ is disabled\n"
    assert command_line.run("webhooks", "enable", webhook_id).out == "https://receiver.example/ is enabled\n"
    assert command_line.run("webhooks", "deliveries", webhook_id, "--json").told == []
    assert command_line.run("webhooks", "redeliver", webhook_id, webhook_id).code == 5


def test_webhook_of_an_organization_and_odd_ones(command_line: CommandLine) -> None:
    [organization] = command_line.run("organizations", "list", "--json").told
    options = ("--organization", organization["name"], "--json")
    made = command_line.run("webhooks", "create", "https://receiver.example/own", *options).told
    assert made["webhook"]["organization_id"] == organization["id"]
    refused = command_line.run("webhooks", "create", "https://10.0.0.1/")
    assert (refused.code, "not public" in refused.aside) == (2, True)
    assert command_line.run("webhooks", "create", "http://receiver.example/").code == 2
    assert command_line.run("webhooks", "list", key=command_line.developer_key).code == 0
    denied = command_line.run("webhooks", "create", "https://receiver.example/", key=command_line.developer_key)
    assert denied.code == 4
