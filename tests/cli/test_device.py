"""`keisan device`: devices listed and shown, closed to work and opened again."""

import hashlib
import os
from collections.abc import Iterator

import httpx
import pytest

from tests.api.stage import build_report
from tests.cli.conftest import CommandLine

CARD = {
    "hardware_id": "GPU-of-the-command-line",
    "node_hardware_id": "node-of-cards",
    "chip": "unknown",
    "name": "Frobnicator 9",
    "memory_bytes": 2**34,
    "verdict": "unknown",
    "facts": {"tool": "frob-smi", "firmware": "1.2"},
}
NODE = {"hardware_id": "node-of-cards", "hostname": "n", "boot_id": "b", "cpu_count": 4, "memory_bytes": 2**34}
ID = str(CARD["hardware_id"])


@pytest.fixture(scope="module")
def agent(command_line: CommandLine) -> Iterator[httpx.Client]:
    """The agent of a site with a card that nobody knows."""
    with command_line.open_api() as api:
        provider_id = api.get("/providers").json()["items"][0]["id"]
        site = api.post("/sites", json={"name": "cards", "provider_id": provider_id, "region": "JP-14"}).json()
        token = api.post("/machines/tokens", json={"kind": "site", "site_id": site["id"]}).json()["token"]
        secret = "mk-keisan-" + os.urandom(16).hex()
        digest = hashlib.sha256(secret.encode()).hexdigest()
        joined = api.post("/machines/join", json={"token": token, "name": "agent", "secret_digest": digest})
        assert joined.is_success, joined.text
        with command_line.open_api(secret) as agent:
            answer = agent.post("/site/report", json=build_report(nodes=[NODE], devices=[CARD], engines={}))
            assert answer.is_success, answer.text
            yield agent


@pytest.mark.usefixtures("agent")
def test_a_card_nobody_knows_is_listed_with_all_its_tool_says(command_line: CommandLine) -> None:
    listed = command_line.run("device", "list")
    line = next(line for line in listed.out.splitlines() if ID in line)
    assert {"unknown", "open", "Frobnicator"} <= set(line.split())
    shown = command_line.run("device", "show", ID)
    assert (shown.code, "tool: frob-smi" in shown.out, "firmware: 1.2" in shown.out) == (0, True, True)
    assert command_line.run("device", "show", ID, "--json").told["facts"] == CARD["facts"]
    assert ID in [device["hardware_id"] for device in command_line.run("device", "list", "--json").told]


@pytest.mark.usefixtures("agent")
def test_it_is_cordoned_drained_and_opened(command_line: CommandLine) -> None:
    closed = command_line.run("device", "cordon", ID, "--reason", "the fan is loud")
    assert (closed.code, closed.out.strip()) == (0, f"{ID} is cordoned")
    assert "the fan is loud" in command_line.run("device", "show", ID).out
    assert command_line.run("device", "drain", ID, "--reason", "to be taken out").out.strip() == f"{ID} is draining"
    device_id = command_line.run("device", "show", ID, "--json").told["id"]
    assert command_line.run("device", "uncordon", device_id).out.strip() == f"{ID} is open"


@pytest.mark.usefixtures("agent")
def test_what_does_not_exist_or_has_no_reason_is_refused(command_line: CommandLine) -> None:
    missing = command_line.run("device", "show", "no-such-card")
    assert (missing.code != 0, "keisan device list" in missing.aside) == (True, True)
    assert command_line.run("device", "cordon", ID).code != 0
    assert command_line.run("device", "cordon", ID, "--reason", " ").code != 0


def test_one_that_is_gone_is_retired_and_reinstated(command_line: CommandLine, agent: httpx.Client) -> None:
    refused = command_line.run("device", "retire", ID, "--reason", "sold")
    assert (refused.code != 0, "open to work" in refused.aside) == (True, True)
    gone = build_report(nodes=[NODE], devices=[CARD | {"verdict": "failed"}], engines={})
    assert agent.post("/site/report", json=gone).is_success
    assert command_line.run("device", "retire", ID, "--reason", "sold").out.strip() == f"{ID} is retired"
    assert "sold" in command_line.run("device", "show", ID).out
    opened = command_line.run("device", "uncordon", ID)
    assert (opened.code != 0, "reinstate it first" in opened.aside) == (True, True)
    back = build_report(nodes=[NODE], devices=[CARD | {"verdict": "ok"}], engines={})
    assert agent.post("/site/report", json=back).is_success
    assert "contradiction: it is retired" in command_line.run("device", "show", ID).out
    assert "device.contradicted" in command_line.run("logs").out
    again = command_line.run("device", "reinstate", ID, "--reason", "it is back")
    assert again.out.strip() == f"{ID} is cordoned"
    twice = command_line.run("device", "reinstate", ID, "--reason", "it is back")
    assert (twice.code != 0, "is not retired" in twice.aside) == (True, True)
    assert command_line.run("device", "uncordon", ID).out.strip() == f"{ID} is open"
    # As the other tests find it.
    agent.post("/site/report", json=build_report(nodes=[NODE], devices=[CARD], engines={})).raise_for_status()
