"""The door as an operator runs it: real platform, site, engine and door, and a gateway elsewhere, which is a folder away.

Secrets are replaced by the command under traffic, and nothing but the door leads to the engine.
"""

import asyncio
import json
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from tests.daemon.certificate import write_certificate
from tests.deadline import wait_until_async
from tests.e2e.stack import MODEL, Program, Stack, start_stack
from tests.e2e.test_door import Traffic, ask_door, open_client, run_process, run_traffic

pytestmark = pytest.mark.e2e
OPEN_S_MAX = 30.0
# A real engine on the processor answers a few calls a second on a busy host.
CALLERS = 2
CALLS_PER_STEP = 3


@dataclass
class Service:
    """A folder of a test: the platform's data under `data`, the door's certificate beside it."""

    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def write_settings(self, door_url: str) -> Path:
        """Write what an operator writes of a site's door, and return the file."""
        path = self.folder / "keisan.toml"
        door = f'door_url = "{door_url}"\ndoor_ca_path = "{self.folder / "door.pem"}"\n'
        # The test ends its processes at once: nothing here has long calls to wait for.
        path.write_text(f"[site]\n{door}[door]\ndrain_s = 5\n[gateway]\ndrain_s = 5\n")
        return path

    def list_door(self, listen: str) -> tuple[str, ...]:
        certificate = (
            "--certificate",
            str(self.folder / "door.pem"),
            "--certificate-key",
            str(self.folder / "door.key"),
        )
        return ("door", "--data", str(self.data), "--listen", listen, *certificate)


@pytest.fixture
def service() -> Iterator[Service]:
    """A short folder, because the path of an engine's socket ends at 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="keisan-", dir="/tmp") as name:
        made = Service(Path(name))
        made.data.mkdir()
        write_certificate(made.folder / "door.pem", made.folder / "door.key", is_authority=False)
        yield made


@asynccontextmanager
async def run_stack_behind(service: Service, door_url: str) -> AsyncIterator[Stack]:
    """Run a platform whose site has a door, yielded once gateways are told of it; nobody is called before."""
    settings = service.write_settings(door_url)
    stack = await asyncio.to_thread(start_stack, service.data, None, ("--config", str(settings)))
    try:
        await wait_until_async(lambda: bool(read_doors(service.data / "gateway")), "the door is told", OPEN_S_MAX)
        yield stack
    finally:
        await asyncio.to_thread(stack.stop)


@asynccontextmanager
async def run_gateway_elsewhere(service: Service, stack: Stack) -> AsyncIterator[str]:
    """Run a gateway that has nothing of the site but what the platform tells, and yield its URL."""
    folder = service.folder / "elsewhere"
    folder.mkdir()
    token = stack.open_api().post("/api/v1/machines/tokens", json={"kind": "gateway"}).json()["token"]
    (folder / "token").write_text(token)
    link = ("--platform-url", stack.platform_url, "--join-token", str(folder / "token"))
    words = ("gateway", "--data", str(folder), "--listen", "127.0.0.1:0", *link)
    async with run_process(folder, *words) as (_, url):
        yield url


def read_snapshot_text(folder: Path) -> str:
    return (folder / "snapshot.json").read_text()


def read_doors(folder: Path) -> list[dict[str, object]]:
    """Return the doors that a gateway knows, as it keeps them."""
    doors: dict[str, dict[str, object]] = json.loads(read_snapshot_text(folder))["tables"]["doors"]
    return list(doors.values())


def read_secret(folder: Path) -> str:
    [door] = read_doors(folder)
    return str(door["secret"])


def rotate(stack: Stack) -> dict[str, object]:
    """Replace the secret as a person does, and return what the command says."""
    words = ("sites", "rotate-door", "local", "--json", "--data", str(stack.data))
    program = Program()
    done = subprocess.run(
        [str(program.path), *words],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        env=program.build_environment(),
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, object] = json.loads(done.stdout)
    return told


async def read_door_calls(url: str, secret: str) -> int:
    async with httpx.AsyncClient(verify=False, trust_env=False) as client:  # the test's own door
        answer = await client.get(f"{url}/metrics", headers={"authorization": f"Bearer {secret}"})
    assert answer.status_code == 200
    [line] = [line for line in answer.text.splitlines() if line.startswith("keisan_door_calls_total ")]
    return int(line.split()[1])


async def test_secret_is_replaced_twice_under_traffic_without_a_failed_call(service: Service) -> None:
    async with (
        run_process(service.folder, *service.list_door("127.0.0.1:0")) as (_, door_url),
        run_stack_behind(service, door_url) as stack,
        run_gateway_elsewhere(service, stack) as elsewhere_url,
    ):
        assert stack.api_key is not None
        gateways = (service.data / "gateway", service.folder / "elsewhere" / "gateway")
        [replica_id] = json.loads((service.data / "site" / "door.json").read_text())["replicas"]
        async with (
            open_client(stack.gateway_url, stack.api_key) as here,
            open_client(elsewhere_url, stack.api_key) as there,
            # Every call of these must come to its end, or the test fails.
            run_traffic(Traffic(here, MODEL), CALLERS) as near,
            run_traffic(Traffic(there, MODEL), CALLERS) as far,
        ):
            used: list[str] = []
            for _ in range(2):
                old = read_secret(gateways[0])
                assert old not in used
                used.append(old)
                await asyncio.gather(near.advance(CALLS_PER_STEP), far.advance(CALLS_PER_STEP))
                told = await asyncio.to_thread(rotate, stack)
                assert (told["stage"], told["is_rotating"], told["is_told"]) == ("steady", False, True)
                await asyncio.gather(near.advance(CALLS_PER_STEP), far.advance(CALLS_PER_STEP))
                assert {read_secret(folder) for folder in gateways}.isdisjoint(used)
                for secret in used:
                    assert (await ask_door(door_url, replica_id, secret)).status_code == 401
            count = near.count + far.count
            secret = read_secret(gateways[0])
        # Neither gateway has another way: all that was answered came through the door.
        assert await read_door_calls(door_url, secret) >= count > 0


async def test_replica_behind_a_door_is_reached_by_nothing_else(service: Service) -> None:
    async with run_process(service.folder, *service.list_door("127.0.0.1:0")) as (door, door_url):
        listen = urlsplit(door_url).netloc
        async with (
            run_stack_behind(service, door_url) as stack,
            run_gateway_elsewhere(service, stack) as elsewhere_url,
        ):
            assert stack.api_key is not None
            sockets = json.loads((service.data / "site" / "door.json").read_text())["replicas"]
            [socket_path] = sockets.values()
            # Gateways are not told of the socket; nobody else may enter its folder; and the engine listens nowhere else.
            for folder in (service.data / "gateway", service.folder / "elsewhere" / "gateway"):
                assert socket_path not in read_snapshot_text(folder)
                assert ".sock" not in read_snapshot_text(folder)
            assert Path(socket_path).parent.stat().st_mode & 0o777 == 0o700
            engine = stack.find_process("engine")
            assert engine is not None
            assert engine.net_connections("inet") == []
            async with (
                open_client(stack.gateway_url, stack.api_key) as here,
                open_client(elsewhere_url, stack.api_key) as there,
            ):
                calls = [Traffic(client, MODEL) for client in (here, there)]
                for call in calls:
                    await call.call(is_stream=False)
                # Without the door nothing leads to it, though it lives, and its socket is on this very host.
                door.send_signal(signal.SIGKILL)
                await asyncio.to_thread(door.wait, 10)
                for client in (here, there):
                    refused = await client.post(
                        "/v1/chat/completions",
                        json={"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2},
                    )
                    assert refused.status_code == 503, refused.text
                assert engine.is_running()
                assert engine.status() != psutil.STATUS_ZOMBIE
                again = service.folder / "again"
                again.mkdir()
                async with run_process(again, *service.list_door(listen)):
                    for call in calls:
                        await wait_until_answered(call)


async def wait_until_answered(call: Traffic) -> None:
    """Return when a call is answered: the breaker of a replica that failed tries it only now and then."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}
    statuses: list[int] = []

    async def ask() -> None:
        while not statuses or statuses[-1] != 200:
            statuses.append((await call.client.post("/v1/chat/completions", json=body)).status_code)
            await asyncio.sleep(0.05)

    await asyncio.wait_for(ask(), OPEN_S_MAX)
