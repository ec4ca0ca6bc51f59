"""What the check of a nation reads: engines' own counts, answers and refusals of calls, and scripts that end or hang."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from keisan.daemon import nation_check
from keisan.daemon.nation import Nation, NationStep, run_nation
from keisan.daemon.nation_check import EngineCount, ask, count_billed, count_engine, run_script
from keisan.domain.errors import Failed
from keisan.domain.price import TokenClass
from keisan.wire.usage import show_record
from tests.daemon.nation_stage import build_request, give_identities, list_addresses
from tests.domain.samples import build_posted, build_record

SAY = "import os, sys; print(os.environ['SAID']); sys.exit(3)"
METRICS = """# HELP llamacpp:prompt_tokens_total Number of prompt tokens processed.
llamacpp:prompt_tokens_total 40
llamacpp:prompt_seconds_total 0.5
llamacpp:tokens_predicted_total 8
llamacpp:n_tokens_max 48
"""


@asynccontextmanager
async def run_engine(path: Path, body: str) -> AsyncIterator[None]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + body.encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_unix_server(answer, path):
        yield


async def test_engine_s_own_count_is_read(tmp_path: Path) -> None:
    async with run_engine(tmp_path / "engine", METRICS):
        count = await count_engine(tmp_path / "engine")
    assert count == EngineCount(40, 8)
    assert count.subtract(EngineCount(30, 5)) == EngineCount(10, 3)


@pytest.mark.parametrize("body", ["", "llamacpp:prompt_tokens_total 40\n"])
async def test_engine_that_does_not_tell_is_a_fault(body: str, tmp_path: Path) -> None:
    async with run_engine(tmp_path / "engine", body):
        with pytest.raises(Failed, match="does not tell its count"):
            await count_engine(tmp_path / "engine")
    with pytest.raises(Failed, match="does not tell its count"):
        await count_engine(tmp_path / "nobody")


def test_cached_tokens_were_no_work() -> None:
    quantities = {TokenClass.INPUT: 7, TokenClass.INPUT_CACHED: 30, TokenClass.OUTPUT: 4}
    record = build_record(quantities=quantities)
    assert count_billed(show_record(build_posted(record))) == EngineCount(7, 4)


async def test_script_s_end_and_words_are_told_and_one_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await run_script({"SAID": "seen"}, "-c", SAY) == (3, "seen\n")
    monkeypatch.setattr(nation_check, "SCRIPT_S_MAX", 0.3)
    assert await run_script({}, "-c", "import time; time.sleep(600)") == (1, "nothing after 0.3 s")


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
