"""Traffic of the demo: calls of each organization in turn, counted, and none stops the next."""

import asyncio
from pathlib import Path

from keisan.daemon.nation import Nation, NationStep, run_nation
from keisan.daemon.nation_traffic import Traffic
from tests.daemon.nation_stage import build_request, give_identities, list_addresses
from tests.factories import FixedClock

ANSWER = b'data: {"choices":[{"index":0,"delta":{"content":"apple"}}]}\n\ndata: [DONE]\n\n'


class CountingClock(FixedClock):
    """Stands still, and lets the loop turn: after so many waits it ends the run."""

    def __init__(self, stopping: asyncio.Event, waits_max: int) -> None:
        super().__init__()
        self._stopping = stopping
        self._waits_left = waits_max

    async def sleep(self, duration_s: float) -> None:
        await super().sleep(duration_s)
        self._waits_left -= 1
        if not self._waits_left:
            self._stopping.set()
            await asyncio.Event().wait()


async def test_calls_are_made_in_turn_and_counted(tmp_path: Path) -> None:
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(next(line for line in head.split(b"\r\n") if line.lower().startswith(b"authorization")))
        status = b"503 Unavailable" if len(asked) == 2 else b"200 OK"
        writer.write(b"HTTP/1.1 %b\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n" % status + ANSWER)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def run(nation: Nation) -> None:
        addresses = list_addresses(3)
        addresses[1] = (addresses[1][0], f"http://127.0.0.1:{port}")
        give_identities(nation, addresses)
        platform = nation.platforms[1]
        platform.keys = {"one": "sk-keisan-1", "two": "sk-keisan-2"}
        traffic = Traffic(CountingClock(platform.supervisor.stopping, 3))
        told.append(traffic)
        await traffic.ask(platform)

    told: list[Traffic] = []
    async with server:
        await run_nation(build_request(tmp_path, NationStep("asking", run)))
    assert told[0].describe() == "2 calls answered, 1 failed (unavailable)"
    assert [line.rpartition(b"-")[2] for line in asked] == [b"1", b"2", b"1"]
