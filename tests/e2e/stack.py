"""A whole platform as a person starts it: `keisan up --json` in a folder of its own, spoken to over HTTP only."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from tests.deadline import wait_until
from tests.ports import find_free_port
from tests.smollm2 import plant_weights

READY_S_MAX = 120.0
STOP_S_MAX = 60.0
MODEL = "smollm2-135m-instruct"
FREE_PORT = "127.0.0.1:0"


@dataclass(slots=True)
class Stack:
    """A running `keisan up`; `api_key` is None when it was not its first start."""

    data: Path
    process: subprocess.Popen[bytes]
    gateway_url: str
    platform_url: str
    api_key: str | None
    output: Path
    clients: list[httpx.Client] = field(default_factory=list)

    def read_operator_key(self) -> str:
        """Return the platform administrator's key that `keisan up` keeps for the command line."""
        operator = json.loads((self.data / "operator.json").read_text())
        key = operator["api_key"]
        assert isinstance(key, str)
        return key

    def open_api(self, key: str | None = None) -> httpx.Client:
        """Return a client of the platform's API, by default the operator's."""
        headers = {"authorization": f"Bearer {key or self.read_operator_key()}"}
        client = httpx.Client(base_url=self.platform_url, headers=headers, timeout=30, trust_env=False)
        self.clients.append(client)
        return client

    def find_process(self, name: str) -> psutil.Process | None:
        """Return the child "platform", "gateway" or "site", or an "engine", None while there is none."""
        if name == "engine":
            living = psutil.process_iter(["cmdline"])
            lines = ((process, " ".join(process.info["cmdline"] or ())) for process in living)
            return next((found for found, line in lines if "keisan.engines" in line and str(self.data) in line), None)
        try:
            return psutil.Process(json.loads((self.data / "run" / f"{name}.json").read_text())["pid"])
        except (OSError, ValueError, psutil.NoSuchProcess):
            return None

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        """Send a signal (Ctrl-C's by default), wait for the end, and return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        for client in self.clients:
            client.close()
        return self.process.wait(STOP_S_MAX)

    def list_processes(self) -> list[psutil.Process]:
        """Return every living process that names the data folder on its command line or in its environment."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            texts = (*process.cmdline(), *process.environ().values())
            return any(str(self.data) in text for text in texts) and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


@dataclass(frozen=True, slots=True)
class Program:
    """Which keisan is started and in what environment; by default the one beside this interpreter."""

    path: Path = field(default_factory=lambda: Path(sys.executable).with_name("keisan"))
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    def build_environment(self) -> dict[str, str]:
        """Return the environment without settings that a person may have set for keisan."""
        return {name: value for name, value in self.environment.items() if not name.startswith("KEISAN_")}


def build_command(
    data: Path, gateway: str = FREE_PORT, platform: str = FREE_PORT, program: Program | None = None
) -> list[str]:
    """Return the command line that starts a platform in `data`."""
    path = (program or Program()).path
    return [str(path), "up", "--json", "--data", str(data), "--gateway", gateway, "--platform", platform]


def start_stack(data: Path, program: Program | None = None, options: Sequence[str] = ()) -> Stack:
    """Start a platform and return when it has printed that it is ready; raises AssertionError with its output if not.

    `options` are more words of `keisan up`. The weights are there already.
    """
    plant_weights(data)
    chosen = program or Program()
    output = data.parent / f"{data.name}.out"
    progress = data.parent / f"{data.name}.err"
    with output.open("wb") as out, progress.open("wb") as screen:
        process = subprocess.Popen(
            [*build_command(data, program=chosen), *options],
            stdout=out,
            stderr=screen,
            env=chosen.build_environment(),
            start_new_session=True,
        )

    def is_ready() -> bool:
        assert process.poll() is None, f"keisan up ended with {process.returncode}:\n{progress.read_text()}"
        return output.read_text().endswith("\n")

    try:
        wait_until(is_ready, f"keisan up is ready (see {progress})", READY_S_MAX)
    except AssertionError:
        process.send_signal(signal.SIGINT)
        raise
    ready = json.loads(output.read_text())
    return Stack(data, process, ready["gateway_url"], ready["platform_url"], ready["api_key"], output)


@contextmanager
def run_stack() -> Iterator[Stack]:
    """Run a platform in a new folder and end it afterwards, whatever happened."""
    # A short folder, because the path of an engine's socket ends at 107 bytes.
    with tempfile.TemporaryDirectory(prefix="keisan-", dir="/tmp") as folder:
        # Whoever is killed listens again where it did.
        gateway, platform = (f"127.0.0.1:{find_free_port()}" for _ in range(2))
        stack = start_stack(Path(folder) / "data", options=["--gateway", gateway, "--platform", platform])
        try:
            yield stack
        finally:
            stack.stop()
