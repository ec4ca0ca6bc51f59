"""`keisan sites`: listed with their doors, and the secret of a door replaced."""

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.api.stage import build_door_report, build_report
from tests.cli.conftest import CommandLine

PERIOD_S = 0.05
SITE = "harbour"


@pytest.fixture(scope="module")
def agent(command_line: CommandLine) -> Iterator[httpx.Client]:
    """The agent of a site of these tests, without a node to place anything on."""
    with command_line.open_api() as api:
        provider_id = api.get("/providers").json()["items"][0]["id"]
        body = {"name": SITE, "provider_id": provider_id, "region": "JP-14"}
        site = api.post("/sites", json=body).json()
        token = api.post("/machines/tokens", json={"kind": "site", "site_id": site["id"]}).json()["token"]
        secret = "mk-keisan-" + os.urandom(16).hex()
        digest = hashlib.sha256(secret.encode()).hexdigest()
        joined = api.post("/machines/join", json={"token": token, "name": "agent", "secret_digest": digest})
        assert joined.is_success, joined.text
        with command_line.open_api(secret) as agent:
            yield agent


def report(agent: httpx.Client, digests: list[str] | None) -> list[str]:
    """Report with a door that lets these in, or with none, and return whom it is to let in."""
    door = None if digests is None else build_door_report(digests=digests)
    answer = agent.post("/site/report", json=build_report(nodes=[], devices=[], engines={}, door=door))
    assert answer.is_success, answer.text
    told: list[str] = (answer.json()["door"] or {}).get("digests", [])
    return told


@contextmanager
def run_agent(agent: httpx.Client) -> Iterator[None]:
    """Report again and again, as an agent does, in a thread."""
    stop = threading.Event()

    def follow() -> None:
        digests = report(agent, [])
        while not stop.wait(PERIOD_S):
            digests = report(agent, digests)

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_sites_are_listed_with_their_doors(command_line: CommandLine, agent: httpx.Client) -> None:
    [site] = [site for site in command_line.run("sites", "list", "--json").told if site["name"] == SITE]
    report(agent, report(agent, []))
    [line] = [line for line in command_line.run("sites", "list").out.splitlines() if SITE in line]
    assert "http://door.test:8090, in use, secret steady" in line
    told = command_line.run("sites", "door", site["id"], "--json").told
    assert (told["host"], told["is_told"], told["is_rotating"]) == ("door.test", True, False)
    report(agent, None)
    assert command_line.run("sites", "door", SITE).out == f"{SITE}: closed\n"


def test_secret_is_replaced_when_the_command_returns(command_line: CommandLine, agent: httpx.Client) -> None:
    report(agent, report(agent, []))
    with run_agent(agent):
        answer = command_line.run("sites", "rotate-door", SITE, "--json")
    assert answer.code == 0
    assert (answer.told["is_rotating"], answer.told["stage"]) == (False, "steady")
    events = command_line.run("logs").out
    assert all(f"door.{stage}" in events for stage in ("rotation_wanted", "arriving", "leaving", "closing"))


def test_what_cannot_be_rotated_is_a_fault(command_line: CommandLine, agent: httpx.Client) -> None:
    report(agent, report(agent, []))
    unknown = command_line.run("sites", "rotate-door", "nowhere")
    assert (unknown.code, "there is no site 'nowhere'; there are: " in unknown.aside) == (5, True)
    assert command_line.run("sites", "rotate-door", SITE, key=command_line.developer_key).code == 5
    report(agent, None)
    assert command_line.run("sites", "rotate-door", SITE).code == 6
