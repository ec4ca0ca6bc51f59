"""`keisan up` with its real children and no engine: order, readiness, restarts at the same address, its end, TLS."""

import asyncio
import os
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest
from rich.console import Console

from keisan.cli.exit_code import ExitCode
from keisan.cli.session import ConnectionOptions
from keisan.daemon.connection import resolve_target
from keisan.daemon.folder import DataFolder, prepare_folder
from keisan.daemon.operator_file import read_operator
from keisan.daemon.process_file import read_process
from keisan.daemon.progress import Progress
from keisan.daemon.settings import load_settings
from keisan.daemon.up import UpRequest, run_up, start_up
from keisan.daemon.welcome import Ready
from keisan.domain.errors import Failed
from keisan.kit.clock import SystemClock
from tests.daemon.certificate import write_certificate
from tests.deadline import wait_until_async

START_S_MAX = 90.0
NO_ENGINE = '[first_start]\nreplica_count = 0\n[gateway]\nlisten = "127.0.0.1:0"\n[platform]\nlisten = "127.0.0.1:0"\n'


@dataclass
class Running:
    folder: DataFolder
    ready: list[Ready] = field(default_factory=list)
    code: ExitCode | None = None

    def find_child(self, name: str) -> psutil.Process | None:
        identity = read_process(self.folder.processes / f"{name}.json")
        try:
            return psutil.Process(identity.pid) if identity else None
        except psutil.NoSuchProcess:
            return None

    def list_children(self) -> dict[str, psutil.Process]:
        found = {name: self.find_child(name) for name in ("platform", "gateway", "site")}
        return {name: process for name, process in found.items() if process is not None}


def make_request(tmp_path: Path, running: Running, tables: dict[str, object] | None = None) -> UpRequest:
    config = tmp_path / "keisan.toml"
    config.write_text(NO_ENGINE)
    settings = load_settings({"data_directory": running.folder.root, **(tables or {})}, {}, config)
    progress = Progress(Console(stderr=True))
    return UpRequest(settings, running.folder, ("--config", str(config)), running.ready.append, progress, SystemClock())


@asynccontextmanager
async def run_ready(tmp_path: Path, tables: dict[str, object] | None = None) -> AsyncIterator[Running]:
    """Run it until it is ready, and end it by Ctrl-C."""
    running = Running(prepare_folder(tmp_path / "data"))
    request = make_request(tmp_path, running, tables)

    async def run() -> None:
        running.code = await run_up(request)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(run())
        await wait_until_async(lambda: bool(running.ready) or task.done(), "it is ready", START_S_MAX)
        yield running
        os.kill(os.getpid(), signal.SIGINT)


async def test_start_restart_stop_and_start_again(tmp_path: Path) -> None:
    async with run_ready(tmp_path) as first:
        [ready] = first.ready
        assert ready.api_key is not None
        operator = read_operator(first.folder.operator_path)
        assert operator is not None
        assert (operator.platform_url, operator.gateway_url) == (ready.platform_url, ready.gateway_url)
        headers = {"authorization": f"Bearer {ready.api_key.reveal()}"}
        async with httpx.AsyncClient(base_url=ready.gateway_url, headers=headers, timeout=10) as client:
            listed = (await client.get("/v1/models")).json()["data"]
            assert [model["id"] for model in listed] == ["smollm2-135m-instruct"]

        children = first.list_children()
        assert set(children) == {"platform", "gateway", "site"}
        assert len({os.getsid(process.pid) for process in children.values()} | {os.getsid(0)}) == 4
        children["gateway"].kill()

        def is_restarted() -> bool:
            again = first.find_child("gateway")
            return again is not None and again.pid != children["gateway"].pid and is_answering(ready.gateway_url)

        await wait_until_async(is_restarted, "the gateway answers at the same address", START_S_MAX)
        children = first.list_children()
    assert first.code is ExitCode.OK
    assert not any(process.is_running() for process in children.values())
    assert not list(first.folder.processes.iterdir())

    async with run_ready(tmp_path) as second:
        assert [ready.api_key for ready in second.ready] == [None]
    assert second.code is ExitCode.OK


def is_answering(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


async def test_everything_speaks_tls_with_a_certificate(tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    write_certificate(certificate, key)
    tls: dict[str, object] = {"certificate": str(certificate), "certificate_key": str(key)}
    async with run_ready(tmp_path, {"gateway": tls, "platform": tls}) as running:
        [ready] = running.ready
        assert ready.platform_url.startswith("https://127.0.0.1:")
        target = resolve_target(ConnectionOptions(data=running.folder.root))
        assert target.ca_path == str(certificate)
        trusting = ssl.create_default_context(cafile=str(certificate))
        for url in (ready.gateway_url, ready.platform_url):
            async with httpx.AsyncClient(verify=trusting, timeout=10) as client:
                assert (await client.get(f"{url}/healthz")).status_code == 200
    assert running.code is ExitCode.OK


async def test_child_that_cannot_start_ends_it_with_the_end_of_its_log(tmp_path: Path) -> None:
    running = Running(prepare_folder(tmp_path / "data"))
    # What first_start.json names is not what the database will belong to.
    (running.folder.platform / "identity.pem").write_text("no key at all")
    with pytest.raises(Failed, match=r"(?s)the platform does not start.*restore it from a copy"):
        await run_up(make_request(tmp_path, running))
    assert running.ready == []
    assert not list(running.folder.processes.iterdir())


async def test_output_for_scripts_is_one_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = prepare_folder(tmp_path / "data")
    request = make_request(tmp_path, Running(folder))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(start_up(request.settings, folder, request.options, is_json=True))
        shown: list[str] = []

        def is_shown() -> bool:
            shown.append(capsys.readouterr().out)
            return "gateway_url" in "".join(shown)

        await wait_until_async(is_shown, "the object is printed", START_S_MAX)
        os.kill(os.getpid(), signal.SIGINT)
        assert await running is ExitCode.OK
    assert "".join(shown).count("\n") == 1
    assert (folder.logs / "up.log").stat().st_size > 0
