"""A province's cable: bytes pass both ways, nothing passes while it is cut and nobody is told, and no rule outlives it."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from keisan.daemon.nation_cable import Cable, find_obstacle, run_nft
from keisan.daemon.settings_address import Address
from keisan.domain.errors import Failed
from tests.deadline import wait_until_async
from tests.ports import find_free_port

PASSES_S_MAX, SILENT_S = 10.0, 0.5
CAN_DROP = os.geteuid() == 0 and shutil.which("nft") is not None and not asyncio.run(find_obstacle())
NEEDS_NFT = pytest.mark.skipif(not CAN_DROP, reason="only root may have packets dropped, by nft")


@dataclass
class Far:
    """A server that keeps what it hears, and says it again when it may."""

    heard: list[bytes] = field(default_factory=list)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.may_answer.set()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(1024):
            self.heard.append(piece)
            await self.may_answer.wait()
            writer.write(piece)
        writer.close()


@asynccontextmanager
async def lay_cable(*, is_proxy: bool, far: "Far | None" = None) -> AsyncIterator[Cable]:
    """A cable to a server."""
    answering = far or Far()
    async with await asyncio.start_server(answering.answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        cable = Cable([(Address("127.0.0.1", find_free_port()), Address("127.0.0.1", port))])
        await cable.lay()
        if is_proxy:
            cable.obstacle = "a test wants it so"
        try:
            yield cable
        finally:
            await cable.take_up()


def list_tables() -> str:
    return subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True, timeout=20).stdout


@dataclass
class Caller:
    """Whoever has dialled the cable."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, text: bytes) -> bytes:
        self.writer.write(text)
        return await self.reader.readexactly(len(text))

    async def hear_nothing(self, asked: Callable[[], asyncio.Future[bytes]]) -> "asyncio.Future[bytes]":
        """Ask, and return what is still waited for after a while."""
        waiting = asked()
        done, _ = await asyncio.wait([waiting], timeout=SILENT_S)
        assert not done, "something came through, or an end was told"
        return waiting


@asynccontextmanager
async def dial(cable: Cable) -> AsyncIterator[Caller]:
    place = cable.lines[0][0]
    async with asyncio.timeout(PASSES_S_MAX):
        reader, writer = await asyncio.open_connection(place.host, place.port)
    try:
        yield Caller(reader, writer)
    finally:
        writer.close()


@pytest.mark.parametrize("is_proxy", [True, pytest.param(False, marks=NEEDS_NFT)])
async def test_nothing_passes_while_it_is_cut_and_all_of_it_afterwards(is_proxy: bool) -> None:
    far = Far()
    async with asyncio.timeout(60), lay_cable(is_proxy=is_proxy, far=far) as cable, dial(cable) as caller:
        assert await caller.ask(b"before") == b"before"
        await cable.cut()
        waiting = await caller.hear_nothing(lambda: asyncio.ensure_future(caller.ask(b"meanwhile")))
        assert far.heard == [b"before"], "it was not even heard"
        await cable.heal()
        assert await asyncio.wait_for(waiting, PASSES_S_MAX) == b"meanwhile"


@pytest.mark.parametrize("is_proxy", [True, pytest.param(False, marks=NEEDS_NFT)])
async def test_what_is_said_beyond_while_it_is_cut_does_not_pass(is_proxy: bool) -> None:
    far = Far()
    far.may_answer.clear()
    async with asyncio.timeout(60), lay_cable(is_proxy=is_proxy, far=far) as cable, dial(cable) as caller:
        asking = asyncio.ensure_future(caller.ask(b"before"))
        await wait_until_async(lambda: bool(far.heard), "it is heard")
        await cable.cut()
        far.may_answer.set()
        waiting = await caller.hear_nothing(lambda: asking)
        await cable.heal()
        assert await asyncio.wait_for(waiting, PASSES_S_MAX) == b"before"


async def test_proxy_holds_who_dials_while_it_is_cut_and_says_so() -> None:
    async with lay_cable(is_proxy=True) as cable, asyncio.timeout(60):
        assert cable.how == f"a proxy passes nothing on at ports {cable.lines[0][0].port}, since a test wants it so"
        await cable.cut()
        async with dial(cable) as caller:
            waiting = await caller.hear_nothing(lambda: asyncio.ensure_future(caller.ask(b"late")))
            await cable.heal()
            assert await waiting == b"late"


@NEEDS_NFT
async def test_rules_stand_in_a_table_of_their_own_while_it_is_cut_and_let_nobody_connect() -> None:
    async with lay_cable(is_proxy=False) as cable:
        assert cable.how == f"nft drops every packet of ports {cable.lines[0][0].port} on loopback"
        await cable.cut()
        assert cable.table in list_tables()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(SILENT_S), dial(cable):
                pass
        await cable.heal()
        assert cable.table not in list_tables()
        await cable.cut()
    assert cable.table not in list_tables()


@NEEDS_NFT
async def test_rules_that_a_killed_one_left_are_taken_away() -> None:
    async with lay_cable(is_proxy=False) as cable:
        await cable.cut()
        again = Cable([(Address("127.0.0.1", cable.lines[0][0].port), cable.lines[0][1])])
        with pytest.raises(Failed, match="is not free"):
            await again.lay()
        assert cable.table not in list_tables()


async def test_who_ends_a_connection_ends_it_for_the_other_side() -> None:
    async with asyncio.timeout(60), lay_cable(is_proxy=True) as cable, dial(cable) as caller:
        assert await caller.ask(b"one") == b"one"
        caller.writer.write_eof()
        assert await caller.reader.read() == b""


async def test_nobody_beyond_is_told_as_an_end() -> None:
    cable = Cable([(Address("127.0.0.1", find_free_port()), Address("127.0.0.1", find_free_port()))])
    await cable.lay()
    try:
        async with dial(cable) as caller:
            assert await asyncio.wait_for(caller.reader.read(), PASSES_S_MAX) == b""
    finally:
        await cable.take_up()


async def test_what_keeps_it_from_dropping_packets_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert await find_obstacle() == "only root may have packets dropped"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert await find_obstacle() == "there is no nft"


@NEEDS_NFT
async def test_rules_that_nft_refuses_are_told() -> None:
    assert "nft refused" in await run_nft("add nonsense\n")
