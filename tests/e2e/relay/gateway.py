"""A real gateway process, alone: the console script on a folder that holds an identity, a snapshot and settings."""

import json
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import psutil

from keisan.wire.snapshot import Snapshot, encode_snapshot
from tests.deadline import wait_until_async
from tests.e2e.relay.client import KeepAliveClient
from tests.e2e.stack import Program

READY_S_MAX = 60.0
STOP_S_MAX = 60.0
QUIET_S_MAX = 15.0


@dataclass(slots=True)
class GatewayFolder:
    """A gateway's data folder, its settings, and the place where it listens; port 0 is taken anew at each start."""

    data: Path
    platform_url: str
    listen: str = "127.0.0.1:0"
    limits: Mapping[str, int] = field(default_factory=dict)
    more: Mapping[str, object] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    starts: int = 0

    @property
    def spool(self) -> Path:
        """Return where its records wait."""
        return self.data / "gateway" / "spool"

    def prepare(self, snapshot: Snapshot, machine_id: UUID) -> None:
        """Write what a gateway that joined and was fed once has on its disk."""
        folder = self.data / "gateway"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        identity = {"secret": "mk-keisan-x", "machine_id": str(machine_id), "platform_id": snapshot.platform_id}
        (folder / "identity.json").write_text(json.dumps(identity))
        (folder / "snapshot.json").write_bytes(encode_snapshot(snapshot))

    def write_settings(self) -> Path:
        """Write the settings file and return its path."""
        path = self.data / "settings.toml"
        own = {"listen": self.listen, "platform_url": self.platform_url, **self.more}
        lines = ["[gateway]", *(f"{name} = {json.dumps(value)}" for name, value in own.items())]
        lines += ["[gateway.limits]", *(f"{name} = {value}" for name, value in self.limits.items())]
        path.write_text("\n".join(lines) + "\n")
        return path


@dataclass(slots=True)
class GatewayProcess:
    """A running `keisan gateway`."""

    process: subprocess.Popen[bytes]
    address: tuple[str, int]
    log: Path

    def kill(self) -> None:
        """Send SIGKILL and wait for the end."""
        self.process.kill()
        self.process.wait(STOP_S_MAX)

    async def stop(self) -> int:
        """Send SIGTERM, wait for the end and return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        await wait_until_async(lambda: self.process.poll() is not None, "the gateway has ended", STOP_S_MAX)
        return self.process.wait()

    async def read_health(self) -> dict[str, Any]:
        """Return what /healthz says, whatever its status."""
        client = KeepAliveClient(self.address)
        try:
            answer = await client.call(b"GET /healthz HTTP/1.1\r\nhost: gateway\r\n\r\n")
        finally:
            client.close()
        health = answer.read_json()
        assert isinstance(health, dict)
        return health

    def count_descriptors(self) -> int:
        """Return how many descriptors the process holds."""
        return psutil.Process(self.process.pid).num_fds()

    def read_resident_bytes(self) -> int:
        """Return the memory that the process has in use."""
        return psutil.Process(self.process.pid).memory_info().rss

    def read_log(self) -> str:
        """Return what the process wrote for people."""
        return self.log.read_text(errors="replace")


async def start_gateway(folder: GatewayFolder) -> GatewayProcess:
    """Start a gateway and return when it has said that it answers; raises AssertionError with its log if it does not."""
    folder.starts += 1
    log, output = (folder.data / f"gateway-{folder.starts}.{ending}" for ending in ("log", "out"))
    program = Program()
    command = [str(program.path), "gateway", "--data", str(folder.data), "--config", str(folder.write_settings())]
    environment = program.build_environment() | dict(folder.environment)
    with output.open("wb") as out, log.open("wb") as screen:
        process = subprocess.Popen(command, stdout=out, stderr=screen, env=environment, start_new_session=True)

    def is_ready() -> bool:
        assert process.poll() is None, f"the gateway ended with {process.returncode}:\n{log.read_text()}"
        return output.read_text().endswith("\n")

    try:
        await wait_until_async(is_ready, f"the gateway is ready (see {log})", READY_S_MAX)
    except BaseException:
        process.kill()
        raise
    place = urlsplit(json.loads(output.read_text())["url"])
    assert place.hostname is not None
    assert place.port is not None
    return GatewayProcess(process, (place.hostname, place.port), log)
