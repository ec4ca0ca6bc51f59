"""A supernode of a real site: its setting, a device off the bus, a link down, and a device that is retired, in real processes."""

import json
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deadline import wait_until
from tests.e2e.stack import Program, Stack, start_stack

pytestmark = pytest.mark.e2e

SETTINGS = """
[first_start]
replica_count = 0

[[site.simulated]]
chip = "nvidia-h20"
count = 8
link = [2]
lost = [3]
faults_after_s = 40

[[site.supernode]]
name = "board"
template = "node-8-switched"
nodes = ["{hostname}"]
links_per_member = 8

[[site.supernode]]
name = "spare"
members = ["GPU-of-nobody"]
"""


def ask(stack: Stack, *words: str) -> Any:
    """Return what a command says with --json."""
    command = [str(Program().path), *words, "--json"]
    environment = Program().build_environment() | {
        "KEISAN_PLATFORM_URL": stack.platform_url,
        "KEISAN_API_KEY": stack.read_operator_key(),
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def stack() -> Iterator[Stack]:
    """A platform as a person starts it, whose site plays eight cards of one board."""
    with tempfile.TemporaryDirectory(prefix="keisan-", dir="/tmp") as folder:
        config = Path(folder) / "keisan.toml"
        config.write_text(SETTINGS.replace("{hostname}", socket.gethostname()))
        stack = start_stack(Path(folder) / "data", options=("--config", str(config)))
        try:
            yield stack
        finally:
            stack.stop()


def read_board(stack: Stack) -> tuple[str, int, int]:
    """Return the board's verdict, how many members reach each other, and of how many."""
    board = next(each for each in ask(stack, "supernode", "list", "local") if each["name"] == "board")
    return board["verdict"], board["connected_count"], board["member_count"]


def count_devices(stack: Stack) -> tuple[int, int]:
    """Return how many devices the site has, the processor among them, and how many of them have failed."""
    [line] = ask(stack, "telemetry", "show", "--by", "site")["items"]
    return line["counts"]["devices"], line["counts"]["failed"]


def is_told(stack: Stack) -> bool:
    site_id = stack.open_api().get("/api/v1/sites").json()["items"][0]["id"]
    found = stack.open_api().get("/api/v1/telemetry/supernodes", params={"site_id": site_id})
    return found.status_code == 200 and {each["verdict"] for each in found.json()["items"]} == {"ok", "unknown"}


def test_a_board_of_a_real_site_loses_a_device_and_a_link(stack: Stack) -> None:
    wait_until(lambda: is_told(stack), "the board is ok, and the spare of which nobody has seen a member unknown", 60)
    assert read_board(stack) == ("ok", 8, 8)
    by_name = {each["name"]: each for each in ask(stack, "supernode", "list", "local")}
    assert by_name["spare"]["reasons"][-1] == "no driver has seen 1 of the members, GPU-of-nobody the first"
    rollups = ask(stack, "telemetry", "show", "--by", "supernode", "--site", "local")["items"]
    assert {line["name"]: line["counts"]["devices"] for line in rollups} == {"board": 8, "spare": 0}

    wait_until(lambda: read_board(stack) == ("failed", 7, 8), "a device has fallen off the bus", 120)
    assert count_devices(stack) == (9, 1)

    gone = next(each["hardware_id"] for each in ask(stack, "device", "list") if each["verdict"] == "failed")
    assert ask(stack, "device", "retire", gone, "--reason", "sold")["use"] == "retired"
    wait_until(lambda: read_board(stack) == ("ok", 7, 7), "nobody waits for the device any more", 30)
    wait_until(lambda: count_devices(stack) == (8, 0), "nobody counts it any more", 30)
    assert ask(stack, "device", "reinstate", gone, "--reason", "found again")["use"] == "cordoned"
    wait_until(lambda: read_board(stack) == ("failed", 7, 8), "it is waited for again", 30)
