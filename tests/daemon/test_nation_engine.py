"""Engines' own counts: read on their own sockets, which lead there also once they were moved."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from keisan.daemon.nation_engine import EngineCount, count_billed, count_engine, count_engines
from keisan.domain.errors import Failed
from keisan.domain.price import TokenClass

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


async def test_each_engine_is_counted_under_its_platform(tmp_path: Path) -> None:
    paths = {"CN-SX": tmp_path / "one", "CN-LN": tmp_path / "other"}
    async with run_engine(paths["CN-SX"], METRICS), run_engine(paths["CN-LN"], METRICS.replace(" 8\n", " 9\n")):
        assert await count_engines(paths) == {"CN-SX": EngineCount(40, 8), "CN-LN": EngineCount(40, 9)}


def test_cached_tokens_were_no_work() -> None:
    quantities = {TokenClass.INPUT: 7, TokenClass.INPUT_CACHED: 30, TokenClass.OUTPUT: 4}
    assert count_billed(quantities) == EngineCount(7, 4)
    assert count_billed({}) == EngineCount(0, 0)
    assert str(EngineCount(7, 4)) == "7 tokens in and 4 out"
