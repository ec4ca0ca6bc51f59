"""A site of many hosts, in real processes: its agent, and two nodes that tell it of 200 devices each."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from keisan.daemon.folder import prepare_folder
from keisan.devices.node import derive_hardware_id
from tests.deadline import wait_until
from tests.e2e.stack import Program, Stack, start_stack

pytestmark = [pytest.mark.e2e, pytest.mark.waits]

SETTINGS = """
[first_start]
replica_count = 0

[site.nodes]
listen = "127.0.0.1:0"
secret_path = "{secret}"
"""
NODE_SETTINGS = """
[node]
machine_id = "{name}"

[[node.simulated]]
chip = "nvidia-h20"
count = 200
"""
NAMES = ("first", "second")
DEVICES = 201


@dataclass
class NodeProcess:
    """`keisan node`, killed and started again as the test wants."""

    name: str
    root: Path
    site_url: str
    secret: Path
    process: subprocess.Popen[bytes] = field(init=False)

    @property
    def hardware_id(self) -> str:
        return derive_hardware_id(self.name)

    def start(self) -> None:
        config = self.root / f"{self.name}.toml"
        config.write_text(NODE_SETTINGS.replace("{name}", self.name))
        command = [sys.executable, "-m", "keisan.daemon.main", "node", "--data", str(self.root / self.name)]
        command += ["--config", str(config), "--site-url", self.site_url, "--secret", str(self.secret)]
        with (self.root / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env=Program().build_environment(), start_new_session=True
            )

    def kill(self) -> None:
        """End it as `kill -9` does."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)


@dataclass
class World:
    """A platform as a person starts it, and its site's other nodes; `api` is its operator's."""

    stack: Stack
    nodes: tuple[NodeProcess, ...]
    api: httpx.Client
    site_id: str

    def ask(self, *words: str) -> Any:
        """Return what a command says with --json."""
        environment = Program().build_environment() | {
            "KEISAN_PLATFORM_URL": self.stack.platform_url,
            "KEISAN_API_KEY": self.stack.read_operator_key(),
        }
        command = [str(Program().path), *words, "--json"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def count_live(self) -> dict[str, Counter[str]]:
        """Return how many devices of each node have which verdict in the live picture; nothing while it cannot be told."""
        found: dict[str, Counter[str]] = {}
        query: dict[str, str | int] = {"site_id": self.site_id, "limit": 1000}
        answer = self.api.get("/api/v1/telemetry/devices", params=query)
        for device in answer.json()["items"] if answer.status_code == 200 else ():
            found.setdefault(device["node"], Counter())[device["verdict"]] += 1
        return found

    def is_whole(self) -> bool:
        found = self.count_live()
        return all(found.get(node.hardware_id) == {"ok": DEVICES} for node in self.nodes)


def find_nodes_url(log: Path) -> str:
    """Return where the site's agent says that it listens to nodes, empty while it does not."""
    lines = log.read_text().splitlines() if log.exists() else []
    said = [json.loads(line) for line in lines if "nodes.listening" in line]
    return str(said[-1]["url"]) if said else ""


@pytest.fixture
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="keisan-", dir="/tmp") as folder:
        root = Path(folder)
        secret, config = root / "secret", root / "keisan.toml"
        secret.write_text("0123456789abcdef" * 4)
        config.write_text(SETTINGS.replace("{secret}", str(secret)))
        stack = start_stack(root / "data", options=("--config", str(config)))
        nodes: tuple[NodeProcess, ...] = ()
        try:
            log = prepare_folder(root / "data").locate_log("site")
            wait_until(lambda: bool(find_nodes_url(log)), "the site's agent listens to nodes", 30)
            url = find_nodes_url(log)
            nodes = tuple(NodeProcess(name, root, url, secret) for name in NAMES)
            for node in nodes:
                node.start()
            api = stack.open_api()
            yield World(stack, nodes, api, str(api.get("/api/v1/sites").json()["items"][0]["id"]))
        finally:
            for node in nodes:
                if node.process.poll() is None:
                    node.kill()
            stack.stop()


def test_a_node_that_is_killed_is_unknown_and_comes_back_whole(world: World) -> None:
    first, second = world.nodes
    wait_until(world.is_whole, "all devices of both nodes are ok", 90)
    listed = world.ask("device", "list")
    by_node = Counter(device["hardware_id"] for device in listed)
    assert len(listed) == 2 * DEVICES + 1
    assert max(by_node.values()) == 1
    assert sum("remote_node" in device["facts"] for device in listed) == 2 * DEVICES

    first.kill()

    found: dict[str, Counter[str]] = {}

    def is_first_unknown() -> bool:
        found.update(world.count_live())
        return found.get(first.hardware_id) == {"unknown": DEVICES}

    wait_until(is_first_unknown, "the killed node's devices are unknown", 90)
    assert found[second.hardware_id] == {"ok": DEVICES}, "never a device of another node"
    first.start()
    wait_until(world.is_whole, "all devices of both nodes are ok again", 90)
