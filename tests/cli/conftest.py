"""The command line as typed: Typer's runner in this process, a real platform process at the other end."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from typer.testing import CliRunner

from keisan.cli.application import add_commands
from keisan.cli.session import ConnectionOptions, Target
from keisan.daemon.first_start import ensure_first_start
from keisan.daemon.folder import DataFolder, prepare_folder
from keisan.daemon.operator_file import read_operator
from keisan.domain.key import Secret
from keisan.kit.clock import SystemClock
from tests.deadline import wait_until

START_S_MAX = 60.0


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    aside: str

    @property
    def told(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class CommandLine:
    """Types commands as the operator of a platform, or as somebody with another key or gateway."""

    platform_url: str
    operator_key: str
    developer_key: str

    def run(self, *words: str, key: str | None = None, gateway_url: str | None = None, typed: str = "") -> Answer:
        application = typer.Typer()
        add_commands(application)

        def resolve(options: ConnectionOptions) -> Target:
            url = options.platform_url or self.platform_url
            secret = Secret(options.api_key or key or self.operator_key)
            return Target(url, options.gateway_url or gateway_url, secret)

        result = CliRunner().invoke(application, list(words), obj=resolve, input=typed)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    def open_api(self, key: str | None = None) -> httpx.Client:
        headers = {"authorization": f"Bearer {key or self.operator_key}"}
        return httpx.Client(base_url=f"{self.platform_url}/api/v1", headers=headers, timeout=10, trust_env=False)


def start_platform(folder: DataFolder) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "keisan.daemon.main", "platform", "--data", str(folder.root)]
    environment = {name: text for name, text in os.environ.items() if not name.startswith("KEISAN_")}
    # Only tests challenge.
    environment["KEISAN_PLATFORM__CHALLENGES__PERIOD_S"] = "0"
    with (folder.root / "out").open("wb") as output:
        return subprocess.Popen([*command, "--listen", "127.0.0.1:0"], stdout=output, stderr=output, env=environment)


@pytest.fixture(scope="session")
def command_line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """A platform after its first start, with its site and gateway not joined yet."""
    with run_platform(tmp_path_factory.mktemp("data")) as running:
        yield running


@contextmanager
def run_platform(root: Path) -> Iterator[CommandLine]:
    """A platform after its first start, with its site and gateway not joined yet."""
    folder = prepare_folder(root)
    _, developer = ensure_first_start(folder, SystemClock())
    assert developer is not None
    process = start_platform(folder)

    def find_url() -> str | None:
        assert process.poll() is None, (folder.root / "out").read_text()
        kept = read_operator(folder.operator_path)
        return kept.platform_url if kept else None

    try:
        wait_until(lambda: find_url() is not None, "the platform answers", START_S_MAX)
        kept, url = read_operator(folder.operator_path), find_url()
        assert kept is not None
        assert url is not None
        yield CommandLine(url, kept.api_key, developer.reveal())
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def connected_gateway(command_line: CommandLine) -> Iterator[httpx.Client]:
    """A joined gateway that has spoken: whoever changes a key waits for it until it is revoked."""
    with command_line.open_api() as api:
        token = api.post("/machines/tokens", json={"kind": "gateway"}).json()["token"]
        secret = "mk-keisan-" + os.urandom(16).hex()
        digest = hashlib.sha256(secret.encode()).hexdigest()
        joined = api.post("/machines/join", json={"token": token, "name": "double", "secret_digest": digest})
        assert joined.is_success, joined.text
        with command_line.open_api(secret) as gateway:
            gateway.get("/gateway/snapshot", params={"wait_s": 0})
            yield gateway
        api.post(f"/machines/{joined.json()['id']}/revoke")
