"""A private nats-server with JetStream for one test: own data folder, a free port of loopback, ended as its test ends."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.deadline import wait_until
from tests.ports import find_free_port

START_S_MAX = 30.0
STOP_S_MAX = 30.0


@dataclass(slots=True)
class NatsServer:
    """A server that may be killed and started again on the same port and folder."""

    program: str
    folder: Path
    port: int
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The address for clients."""
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it takes connections; raises AssertionError if it does not."""
        command = [self.program, "--addr", "127.0.0.1", "--port", str(self.port)]
        command += ["--jetstream", "--store_dir", str(self.folder / "data")]
        with (self.folder / "log").open("ab") as output:
            # Dies with this process, however that ends.
            launcher = ["setpriv", "--pdeathsig=KILL", "--"]
            self.processes.append(
                subprocess.Popen([*launcher, *command], stdout=output, stderr=output, start_new_session=True)
            )
        wait_until(self.is_ready, f"nats-server starts (its log: {self.folder / 'log'})", START_S_MAX)

    def kill(self) -> None:
        """End it as `kill -9` does."""
        os.kill(self.processes[-1].pid, signal.SIGKILL)
        self.processes[-1].wait(STOP_S_MAX)

    def lose_disk(self) -> None:
        """Delete what it keeps; for when it does not run."""
        shutil.rmtree(self.folder / "data")

    def is_ready(self) -> bool:
        """Tell whether it greets who connects."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                return connection.recv(4) == b"INFO"
        except OSError:
            return False


def find_program() -> str | None:
    """Return nats-server as it is found on PATH, or where Debian has it."""
    return shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin")


@contextmanager
def run_server(program: str, folder: Path) -> Iterator[NatsServer]:
    """Start a server in a folder and end it afterwards."""
    server = NatsServer(program, folder, find_free_port())
    server.start()
    try:
        yield server
    finally:
        if server.processes[-1].poll() is None:
            server.kill()


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    """A server that only this test has."""
    program = find_program()
    if program is None:
        reason = "nats-server is not installed (on Debian: apt install nats-server)"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}, and CI must not skip its tests")
        pytest.skip(reason)
    folder = tmp_path / "nats"
    folder.mkdir()
    with run_server(program, folder) as server:
        yield server
