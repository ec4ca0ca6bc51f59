"""A nation and two provinces as people run them: three whole platforms, each `keisan up` in a folder of its own, joined by commands."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai

from tests.deadline import wait_until
from tests.e2e.stack import MODEL, Program, Stack, start_stack
from tests.ports import find_free_port

JOINED_S_MAX = 120.0


@dataclass(slots=True)
class Town:
    """One whole platform, started with its own settings; it answers at the same addresses after a restart."""

    name: str
    folder: Path
    stack: Stack
    api_key: str

    @property
    def platform_id(self) -> str:
        """Return its id, as its API tells it."""
        with self.stack.open_api() as api:
            told = api.get("/api/v1/platform").json()["id"]
        assert isinstance(told, str)
        return told

    def run(self, *words: str) -> Any:
        """Run a command of keisan against this platform and return what it printed as JSON."""
        environment = Program().build_environment() | {
            "KEISAN_PLATFORM_URL": self.stack.platform_url,
            "KEISAN_GATEWAY_URL": self.stack.gateway_url,
            "KEISAN_API_KEY": self.stack.read_operator_key(),
        }
        command = [str(Program().path), *words, "--json"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return json.loads(done.stdout) if done.stdout.strip() else None

    def open_client(self, api_key: str | None = None) -> openai.OpenAI:
        """Return the ordinary client of its first developer, or of whoever has a key, at its own gateway, without repeats."""
        url, key = f"{self.stack.gateway_url}/v1", api_key or self.api_key
        return openai.OpenAI(base_url=url, api_key=key, max_retries=0, timeout=60)

    def kill(self) -> None:
        """End all its processes as `kill -9` does."""
        self.stack.process.kill()
        for process in self.stack.list_processes():
            process.kill()
        self.stack.process.wait(30)

    def start_again(self) -> None:
        """Start it again where it answered before."""
        gateway, platform = (url.partition("://")[2] for url in (self.stack.gateway_url, self.stack.platform_url))
        self.stack = _start(self.folder, gateway, platform)


def _start(folder: Path, gateway: str, platform: str) -> Stack:
    config = str(folder / "keisan.toml")
    # The last of an option counts.
    return start_stack(folder / "data", options=["--config", config, "--gateway", gateway, "--platform", platform])


def _write_settings(folder: Path, name: str, region: str, replicas: int, *, is_parent: bool) -> None:
    kind = "national" if is_parent else "regional"
    lines = ["[platform]", f'name = "{name}"', f'kind = "{kind}"', "[first_start]", f'region = "{region}"']
    lines += [f"replica_count = {replicas}"]
    if is_parent:
        gateways = f"127.0.0.1:{find_free_port()}"
        lines += ["[platform.link]", f'listen = "127.0.0.1:{find_free_port()}"', f'gateway_address = "{gateways}"']
        lines += ["[gateway.federation]", f'listen = "{gateways}"']
    (folder / "keisan.toml").write_text("\n".join(lines) + "\n")


@contextmanager
def run_towns() -> Iterator[tuple[Town, Town, Town]]:
    """Run a nation, a coast without a model of its own, and an inland with a real one on the CPU; ends all afterwards."""
    with ExitStack() as exits:
        towns: list[Town] = []
        for name, region, replicas in (("nation", "CN-BJ", 0), ("coast", "CN-SH", 0), ("inland", "CN-SX", 1)):
            # A short folder, because the path of an engine's socket ends at 107 bytes.
            folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="keisan-", dir="/tmp")))
            _write_settings(folder, name, region, replicas, is_parent=name == "nation")
            stack = _start(folder, *(f"127.0.0.1:{find_free_port()}" for _ in range(2)))
            assert stack.api_key is not None
            towns.append(Town(name, folder, stack, stack.api_key))
            exits.callback(_stop, towns[-1])
        nation, coast, inland = towns
        yield nation, coast, inland


def _stop(town: Town) -> None:
    town.stack.stop()


def join(parent: Town, child: Town, region: str, label: str) -> None:
    """Join a child by what people type."""
    invited = parent.run("federation", "invite", "--region", region, "--prefix", label)
    child.run("federation", "join", invited["token"])
    wait_until(lambda: bool(parent.run("federation", "requests")), f"{child.name} has asked", JOINED_S_MAX)
    parent.run("federation", "approve", parent.run("federation", "requests")[0]["id"])

    def is_joined() -> bool:
        return any(link["state"] == "joined" for link in child.run("federation", "show"))

    wait_until(is_joined, f"{child.name} has joined", JOINED_S_MAX)


def list_offers(town: Town) -> list[dict[str, Any]]:
    """Return what other platforms offer of the model, as the town's own gateway lists it to its developer."""
    with town.open_client() as client:
        listed = [each for each in client.models.list().data if each.id == MODEL]
    return [offer for each in listed for offer in (each.model_extra or {}).get("offers", ())]
