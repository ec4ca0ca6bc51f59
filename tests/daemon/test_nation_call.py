"""A national call: what is refused or not answered is a fault, and never taken for an answer."""

import asyncio
from pathlib import Path

import pytest

from keisan.daemon.nation import Nation, NationStep, run_nation
from keisan.daemon.nation_call import ask
from keisan.domain.errors import Failed
from tests.daemon.nation_stage import build_request, give_identities, list_addresses


async def test_call_that_is_refused_or_not_answered_is_a_fault(tmp_path: Path) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 402 Payment Required\r\ncontent-length: 4\r\nconnection: close\r\n\r\nmore")
        await writer.drain()
        writer.close()

    async def run(nation: Nation) -> None:
        platform = nation.platforms[1]
        platform.keys = {"one": "sk-keisan-1"}
        give_identities(nation, list_addresses(3))
        with pytest.raises(Failed, match="not answered"):
            await ask(platform)
        async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
            addresses = list_addresses(3)
            port = server.sockets[0].getsockname()[1]
            addresses[1] = (addresses[1][0], f"http://127.0.0.1:{port}")
            give_identities(nation, addresses)
            with pytest.raises(Failed, match="answered with 402: more"):
                await ask(platform)
        nation.national.supervisor.stopping.set()

    await run_nation(build_request(tmp_path, NationStep("asking", run)))
