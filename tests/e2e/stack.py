"""A whole platform as a person starts it: `keisan up --json` in a folder of its own, spoken to over HTTP only."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from tests.deadline import wait_until

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
        marks = {"engine": "keisan.engines"}
        for process in psutil.process_iter(["cmdline"]):
            command = process.info["cmdline"] or []
            text = " ".join(command)
            is_own = str(self.data) in text or self._is_descendant(process)
            if is_own and (marks[name] in text if name in marks else f" {name}" in f" {text}" and "up" not in command):
                return process
        return None

    def _is_descendant(self, process: psutil.Process) -> bool:
        try:
            return self.process.pid in [parent.pid for parent in process.parents()]
        except psutil.Error:
            return False

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        """Send a signal (Ctrl-C's by default), wait for the end, and return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        for client in self.clients:
            client.close()
        return self.process.wait(STOP_S_MAX)

    def list_processes(self) -> list[psutil.Process]:
        """Return every living process that has the data folder on its command line or in its environment."""
        found = []
        for process in psutil.process_iter():
            try:
                is_ours = str(self.data) in " ".join(process.cmdline())
                is_ours = is_ours or str(self.data) in process.environ().get("KEISAN_DATA_DIRECTORY", "")
                if is_ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found


def build_command(data: Path, gateway: str = FREE_PORT, platform: str = FREE_PORT) -> list[str]:
    """Return the command line that starts a platform in `data`."""
    keisan = Path(sys.executable).with_name("keisan")
    return [str(keisan), "up", "--json", "--data", str(data), "--gateway", gateway, "--platform", platform]


def start_stack(data: Path, gateway: str = FREE_PORT, platform: str = FREE_PORT) -> Stack:
    """Start a platform and return when it has printed that it is ready; raises AssertionError with its output if not."""
    output = data.parent / f"{data.name}.out"
    progress = data.parent / f"{data.name}.err"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KEISAN_")}
    with output.open("wb") as out, progress.open("wb") as err:
        process = subprocess.Popen(
            build_command(data, gateway, platform), stdout=out, stderr=err, env=environment, start_new_session=True
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
        stack = start_stack(Path(folder) / "data")
        try:
            yield stack
        finally:
            stack.stop()
