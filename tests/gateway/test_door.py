"""The door's process with the real door: who enters, what it says of itself, faults of its settings, its end."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from keisan.domain.errors import SettingsInvalid
from keisan.gateway.door import DoorOptions, DoorPorts, run_door
from keisan.gateway.native import open_door
from keisan.gateway.options import Listener
from keisan.kit.private_file import write_private_file
from tests.deadline import wait_until_async

SECRET = "ds-keisan-test"
PATH = "/replicas/r/v1/chat/completions"


def make_options(folder: Path) -> DoorOptions:
    return DoorOptions(listener=Listener("127.0.0.1", 0), access_path=folder / "door.json", drain_s=5.0)


def write_access(folder: Path, *secrets: str) -> None:
    digests = [hashlib.sha256(secret.encode()).hexdigest() for secret in secrets]
    access = {"digests": digests, "replicas": {"r": str(folder / "e.sock")}}
    write_private_file(folder / "door.json", json.dumps(access).encode())


@asynccontextmanager
async def serve(options: DoorOptions) -> AsyncIterator[httpx.AsyncClient]:
    stop, announced = asyncio.Event(), []

    def announce(host: str, port: int) -> None:
        announced.append(f"http://{host}:{port}")

    async with asyncio.TaskGroup() as group:
        group.create_task(run_door(options, DoorPorts(open_door, announce), stop))
        await wait_until_async(lambda: bool(announced), "the door listens")
        headers = {"authorization": f"Bearer {SECRET}"}
        async with httpx.AsyncClient(base_url=announced[0], headers=headers, timeout=10) as client:
            yield client
        stop.set()


async def answer_as_engine(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    await reader.readexactly(int(head.partition("content-length:")[2].partition("\r\n")[0]))
    assert "authorization" not in head
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")
    await writer.drain()
    writer.close()


async def test_who_has_the_secret_reaches_the_engine(tmp_path: Path) -> None:
    write_access(tmp_path, SECRET)
    server = await asyncio.start_unix_server(answer_as_engine, tmp_path / "e.sock")
    async with server, serve(make_options(tmp_path)) as client:
        answer = await client.post(PATH, json={})
        assert (answer.status_code, answer.json()) == (200, {})
        write_access(tmp_path, "another")
        refused = await client.post(PATH, json={})
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")


async def test_door_without_a_file_says_it_is_there_and_lets_nobody_in(tmp_path: Path) -> None:
    async with serve(make_options(tmp_path)) as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        assert (await client.post(PATH, json={})).status_code == 401
        write_access(tmp_path, SECRET)
        assert (await client.post(PATH, json={})).status_code == 503
        assert (await client.get("/metrics")).status_code == 200


async def test_wrong_limit_and_taken_address_are_settings_faults(tmp_path: Path) -> None:
    ports = DoorPorts(open_door, lambda host, port: None)
    wrong = replace(make_options(tmp_path), limits={"unknown_max": 1})
    with pytest.raises(SettingsInvalid, match="unknown_max"):
        await run_door(wrong, ports, asyncio.Event())
    async with serve(make_options(tmp_path)) as client:
        taken = replace(make_options(tmp_path), listener=Listener("127.0.0.1", client.base_url.port or 0))
        with pytest.raises(SettingsInvalid, match="cannot listen"):
            await run_door(taken, ports, asyncio.Event())
