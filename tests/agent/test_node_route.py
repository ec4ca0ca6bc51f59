"""What a site's agent answers to nodes over HTTP: nobody without the secret, no body without an end, every fault its status."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from keisan.agent import node_route
from keisan.agent.node_route import build_routes
from keisan.agent.site_link import AGENT_HEADER, FRAME_PATH, INVENTORY_PATH, NODE_HEADER, REPORT_PATH
from keisan.domain.key import Secret
from tests.agent.many_hosts import NodeWorld, SiteWorld, describe_host

SECRET = Secret("s" * 32)
PATHS = (REPORT_PATH, INVENTORY_PATH, FRAME_PATH)
SENDER = {NODE_HEADER: "n1", AGENT_HEADER: str(UUID(int=1))}


@pytest.fixture
def site(tmp_path: Path) -> SiteWorld:
    return SiteWorld(tmp_path)


@pytest.fixture
async def client(site: SiteWorld) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(build_routes(site.desk, SECRET))
    headers = {"authorization": f"Bearer {SECRET.reveal()}", **SENDER}
    async with httpx.AsyncClient(transport=transport, base_url="http://site", headers=headers) as client:
        yield client


async def test_a_node_tells_of_itself_and_is_taken(client: httpx.AsyncClient, site: SiteWorld) -> None:
    report = describe_host("n1", "d1").model_dump_json()
    assert (await client.post(REPORT_PATH, content=report)).json() == {"next_report_s": 10.0}
    node = NodeWorld(site, "n1", ("d1",), 1)
    node.inventory.follow(describe_host("n1", "d1").devices)
    told = await client.post(INVENTORY_PATH, content=node.inventory.write())
    assert told.json() == {"incarnation": node.inventory.incarnation, "version": 1, "device_count": 1}
    assert (await client.post(FRAME_PATH, content=b"nonsense")).status_code == 400


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("shown", ["", "Bearer", f"Bearer {'t' * 32}", f"bearer {'s' * 32}", "Bearer s\xe9"])
async def test_nobody_gets_further_without_the_secret(client: httpx.AsyncClient, path: str, shown: str) -> None:
    answer = await client.post(path, headers={b"authorization": shown.encode("latin-1")}, content=b"{}")
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert (await client.get(path)).status_code == 405


@pytest.mark.parametrize("path", [INVENTORY_PATH, FRAME_PATH])
async def test_each_fault_has_its_status(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.post(path, content=b"")).status_code == 429
    await client.post(REPORT_PATH, content=describe_host("n1", "d1").model_dump_json())
    assert (await client.post(path, content=b"")).status_code == {INVENTORY_PATH: 400, FRAME_PATH: 409}[path]
    other = {AGENT_HEADER: str(UUID(int=2))}
    assert (await client.post(path, headers=other, content=b"")).status_code == 403
    for wrong in ({AGENT_HEADER: "nonsense"}, {AGENT_HEADER: ""}):
        assert (await client.post(path, headers=wrong, content=b"")).status_code == 400
    assert (await client.post(REPORT_PATH, content=b"{}")).status_code == 400


async def test_a_body_has_an_end(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_route, "API_BODY_BYTES_MAX", 100)
    assert (await client.post(FRAME_PATH, content=b"x" * 101)).status_code == 413
    monkeypatch.setattr(node_route, "BODY_WAIT_S", 0.01)

    async def stall() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    assert (await client.post(FRAME_PATH, content=stall())).status_code == 429
