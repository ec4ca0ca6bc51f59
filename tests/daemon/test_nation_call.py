"""A national call: what is refused or not answered is a fault, and never taken for an answer; what is refused for now is asked again."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import pytest

from keisan.daemon import nation_call
from keisan.daemon.nation import Nation, NationStep, run_nation
from keisan.daemon.nation_call import Refusal, ask, ask_patiently
from keisan.domain.errors import Failed
from tests.daemon.nation_stage import build_request, give_identities, list_addresses

RECORD_ID = UUID("018f0000-0000-7000-8000-000000000001")
REFUSED = "402 Payment Required", "more"
BUSY = "503 Service Unavailable", "not yet"
UNKNOWN = "403 Forbidden", '{"error":{"message":"no ticket","code":"ticket_unknown"}}'
SERVED = "200 OK", '{"usage":{"prompt_tokens":4,"completion_tokens":2}}'


@asynccontextmanager
async def serve(answers: Iterator[tuple[str, str]]) -> AsyncIterator[int]:
    """Answer each request with the next of `answers`, and yield the port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        status, body = next(answers)
        head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\nkeisan-record-id: {RECORD_ID}\r\n"
        writer.write(f"{head}connection: close\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


def point_at(nation: Nation, port: int) -> None:
    """Let the national gateway be what answers at a port."""
    nation.national.keys = {"one": "sk-keisan-1"}
    addresses = list_addresses(3)
    addresses[0] = (addresses[0][0], f"http://127.0.0.1:{port}")
    give_identities(nation, addresses)


async def run_with(tmp_path: Path, nation_step: NationStep) -> None:
    async def stop(nation: Nation) -> None:
        nation.national.supervisor.stopping.set()

    await run_nation(build_request(tmp_path, nation_step, NationStep("stopping", stop)))


async def test_call_that_is_refused_or_not_answered_is_a_fault(tmp_path: Path) -> None:
    async def check(nation: Nation) -> None:
        point_at(nation, 1)
        with pytest.raises(Failed, match="not answered"):
            await ask(nation.national)
        async with serve(iter([REFUSED, REFUSED])) as port:
            point_at(nation, port)
            assert await ask(nation.national) == Refusal(402, "more")
            with pytest.raises(Failed, match="answered with 402: more"):
                await ask_patiently(nation)

    await run_with(tmp_path, NationStep("asking", check))


async def test_call_that_is_refused_for_now_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def check(nation: Nation) -> None:
        async with serve(iter([BUSY, UNKNOWN, SERVED])) as port:
            point_at(nation, port)
            call = await ask_patiently(nation)
        assert (call.record_id, call.usage["completion_tokens"]) == (RECORD_ID, 2)
        monkeypatch.setattr(nation_call, "PATIENCE_S", 0.0)
        async with serve(iter([BUSY, BUSY, SERVED])) as port:
            point_at(nation, port)
            with pytest.raises(Failed, match="answered with 503: not yet"):
                await ask_patiently(nation)

    await run_with(tmp_path, NationStep("asking", check))
