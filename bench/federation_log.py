"""Question: how many letters does a link's log take and give a second, on SQLite, PostgreSQL and NATS, and what does each cost?

Method: batches of signed letters are appended and read back; rounds at two sizes of the log; NATS is carried to and read from.
Reference: in the same run a plain INSERT (COPY on PostgreSQL) of the same bytes into a table without a key; a plain publish.
Wrong if: what is read is not what was appended, in its order and once, or NATS has another number of messages.
"""

import argparse
import json
import os
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from uuid import UUID

import psutil
import uvloop

from keisan.domain.access import PlatformScope
from keisan.domain.ids import LinkId
from keisan.domain.letter import Letter
from keisan.domain.limits import LINK_BATCH_BYTES
from keisan.domain.link_log import LinkLog
from keisan.kit.clock import SystemClock
from keisan.kit.ids import create_id
from keisan.storage.base import Storage
from keisan.storage.postgresql import open_postgresql
from keisan.storage.sqlite import open_sqlite
from keisan.streams.base import Streams
from keisan.streams.nats import NatsStreams
from keisan.streams.nats_connection import Message, NatsConnection
from keisan.streams.sql import SqlStreams
from keisan.wire.letter import encode_letter
from stage.cache import tell
from stage.server import open_server
from tests.letters import NORTH, SOUTH, write_letter
from tests.nats import find_program, run_server
from tests.postgresql import PostgresqlServer

OWN = PlatformScope()
LINK, LOG = LinkId(create_id()), LinkLog.LEDGER
BODY_BYTES = 500
BATCH_LETTERS = 512
ROUND_BATCHES, ROUNDS = 10, 9
QUICK_ROUND_BATCHES, QUICK_ROUNDS = 4, 3
# How many rounds' letters stand in the log before the second figure is taken.
GROWN_ROUNDS = 20
SERVER_NAMES = frozenset({"postgres", "nats-server"})


@dataclass(frozen=True, slots=True)
class Size:
    """How much is done."""

    rounds: int
    round_batches: int
    grown_rounds: int

    @property
    def round_letters(self) -> int:
        """Return how many letters a round has."""
        return self.round_batches * BATCH_LETTERS


@dataclass(frozen=True, slots=True)
class Round:
    """Some letters: how long, and the processor's time of this process and of the servers."""

    letters: int
    duration_s: float
    own_cpu_s: float
    server_cpu_s: float


def read_server_cpu_s() -> float:
    """Return the processor's time of this process's servers."""
    found = 0.0
    for each in psutil.Process().children(recursive=True):
        try:
            if each.name() in SERVER_NAMES:
                found += sum(each.cpu_times()[:2])
        except psutil.NoSuchProcess:
            continue
    return found


async def time_round(letters: int, work: Callable[[], Awaitable[None]]) -> Round:
    """Do some work and tell what it took."""
    server_cpu_s, own_cpu_s, started = read_server_cpu_s(), time.process_time(), time.monotonic()
    await work()
    duration_s, own_cpu_s = time.monotonic() - started, time.process_time() - own_cpu_s
    return Round(letters, duration_s, own_cpu_s, read_server_cpu_s() - server_cpu_s)


def format_rounds(rounds: Sequence[Round]) -> dict[str, object]:
    """Return letters a second as [median, minimum, maximum], and what one cost."""
    rates = sorted(each.letters / each.duration_s for each in rounds)
    letters = sum(each.letters for each in rounds)
    return {
        "n": len(rounds),
        "letters_per_s": [round(median(rates)), round(rates[0]), round(rates[-1])],
        "own_cpu_us": round(sum(each.own_cpu_s for each in rounds) / letters * 1e6, 1),
        "server_cpu_us": round(sum(each.server_cpu_s for each in rounds) / letters * 1e6, 1),
    }


def write_batches(size: Size) -> list[list[Letter]]:
    """Return one round's letters, signed beforehand: signing is measured nowhere here."""
    body = os.urandom(BODY_BYTES)
    return [
        [write_letter(NORTH, audience=SOUTH, period="2026-11", body=body) for _ in range(BATCH_LETTERS)]
        for _ in range(size.round_batches)
    ]


async def append_batches(storage: Storage, batches: Sequence[Sequence[Letter]]) -> None:
    """Append batches, a transaction each."""
    for batch in batches:
        async with storage.write() as transaction:
            await transaction.outgoing_logs.append(LINK, LOG, batch)


async def get_place(storage: Storage) -> tuple[UUID, int]:
    """Return the log's incarnation and how many letters it has."""
    async with storage.read() as view:
        end = await view.outgoing_logs.get_end(OWN, LINK, LOG)
    assert end is not None
    return end.incarnation, end.sequence


async def read_letters(streams: Streams, place: tuple[UUID, int], expected: Sequence[UUID]) -> None:
    """Read a log from a sequence to its end, as a link does; raises AssertionError if it is not what was appended."""
    incarnation, after = place
    found: list[UUID] = []
    while items := await streams.read(LINK, LOG, incarnation, after, LINK_BATCH_BYTES):
        assert items[0].sequence == after + 1
        after = items[-1].sequence
        found += [item.letter_id for item in items]
    assert found == list(expected), "what was read is not what was appended"


async def run_rounds(storage: Storage, streams: Streams, size: Size, *, is_carried: bool) -> dict[str, object]:
    """Take the figures of one size of the log: append (or carry), and read."""
    written, read = [], []
    for _ in range(size.rounds):
        batches = write_batches(size)
        ids = [letter.id for batch in batches for letter in batch]
        await append_batches(storage, [[write_letter(NORTH)]])
        await streams.carry()
        place = await get_place(storage)
        if is_carried:
            await append_batches(storage, batches)
            written.append(await time_round(len(ids), lambda: carry_all(streams)))
        else:
            written.append(await time_round(len(ids), lambda given=batches: append_batches(storage, given)))  # type: ignore[misc]  # bound now
        read.append(
            await time_round(len(ids), lambda at=place, given=ids: read_letters(streams, at, given))  # type: ignore[misc]  # bound now
        )
    return {"stored": (await get_place(storage))[1], "write": format_rounds(written), "read": format_rounds(read)}


async def carry_all(streams: Streams) -> None:
    """Carry what is committed."""
    await streams.carry()


async def run_sizes(storage: Storage, streams: Streams, size: Size, *, is_carried: bool) -> list[dict[str, object]]:
    """Take the figures of a small log and of one that has grown."""
    small = await run_rounds(storage, streams, size, is_carried=is_carried)
    for _ in range(size.grown_rounds):
        await append_batches(storage, write_batches(size))
    await streams.carry()
    return [small, await run_rounds(storage, streams, size, is_carried=is_carried)]


async def measure_insert(folder: Path, size: Size) -> Round:
    """Insert the same bytes plainly, a transaction for a batch, as durable as keisan's own."""
    bare = sqlite3.connect(folder / "bare.db", isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        bare.execute(f"PRAGMA {pragma}")
    bare.execute("CREATE TABLE bare (letter BLOB)")
    rows = [[(encode_letter(letter),) for letter in batch] for batch in write_batches(size)]

    async def insert() -> None:
        for batch in rows:
            bare.execute("BEGIN IMMEDIATE")
            bare.executemany("INSERT INTO bare VALUES (?)", batch)
            bare.execute("COMMIT")

    found = await time_round(size.round_letters, insert)
    bare.close()
    return found


async def measure_copy(server: PostgresqlServer, size: Size) -> Round:
    """Copy the same bytes plainly, a transaction for a batch."""
    import asyncpg  # only where there is a server

    bare = await asyncpg.connect(host=str(server.socket_folder), user="postgres", database="books")
    await bare.execute("CREATE TABLE bare (letter bytea)")
    rows = [[(encode_letter(letter),) for letter in batch] for batch in write_batches(size)]

    async def copy() -> None:
        for batch in rows:
            await bare.copy_records_to_table("bare", records=batch)

    found = await time_round(size.round_letters, copy)
    await bare.close()
    return found


async def measure_publish(url: str, size: Size) -> Round:
    """Publish the same bytes plainly to a stream in files, answers awaited batch by batch."""
    connection = NatsConnection(url)
    await (await connection.open()).add_stream(name="bare", subjects=["bare"])
    messages = [[Message("bare", encode_letter(letter)) for letter in batch] for batch in write_batches(size)]

    async def publish() -> None:
        for batch in messages:
            assert all(await connection.publish(batch))

    found = await time_round(size.round_letters, publish)
    await connection.close()
    return found


async def measure_nats(folder: Path, size: Size) -> dict[str, object] | None:
    """Return the figures of NATS, None where it is not installed."""
    program = find_program()
    if program is None:
        tell("bench: nats-server is not installed; its figures are left out")
        return None
    with run_server(program, folder) as server:
        storage = open_sqlite(folder / "carried.db", SystemClock())
        await storage.migrate()
        streams = NatsStreams(storage, server.url, NORTH)
        steps = await run_sizes(storage, streams, size, is_carried=True)
        connection = NatsConnection(server.url)
        names = await connection.list_streams()
        states = [await connection.find_state(name) for name in names if not name.endswith("register")]
        assert [state.state.messages for state in states if state] == [(await get_place(storage))[1]]
        await connection.close()
        await streams.close()
        await storage.close()
        return compare(steps, await measure_publish(server.url, size))


def compare(steps: list[dict[str, object]], reference: Round) -> dict[str, object]:
    """Return the steps beside their reference."""
    reference_per_s = reference.letters / reference.duration_s
    ratios = []
    for step in steps:
        write = step["write"]
        assert isinstance(write, dict)
        ratios.append(round(write["letters_per_s"][0] / reference_per_s, 3))
    return {"steps": steps, "reference": format_rounds([reference]), "ratio_to_reference": ratios}


async def measure_database(storage: Storage, size: Size) -> list[dict[str, object]]:
    """Return the steps of a database, which is closed at the end."""
    try:
        await storage.migrate()
        return await run_sizes(storage, SqlStreams(storage), size, is_carried=False)
    finally:
        await storage.close()


async def measure(size: Size) -> dict[str, object]:
    """Return the figures of all three."""
    line: dict[str, object] = {
        "bench": "federation_log",
        "cores": os.cpu_count(),
        "load_1m": round(os.getloadavg()[0], 2),
    }
    line |= {"batch_letters": BATCH_LETTERS, "letter_bytes": len(encode_letter(write_batches(Size(1, 1, 0))[0][0]))}
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        steps = await measure_database(open_sqlite(folder / "keisan.db", SystemClock()), size)
        line["sqlite"] = compare(steps, await measure_insert(folder, size))
        line["nats"] = await measure_nats(folder, size)
        server = await stack.enter_async_context(open_server())
        if server is not None:
            steps = await measure_database(open_postgresql(server.format_url("books"), SystemClock()), size)
            line["postgresql"] = compare(steps, await measure_copy(server, size))
    return line


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="under a minute")
    options = parser.parse_args()
    size = Size(ROUNDS, ROUND_BATCHES, GROWN_ROUNDS)
    if options.quick:
        size = Size(QUICK_ROUNDS, QUICK_ROUND_BATCHES, QUICK_ROUNDS)
    print(json.dumps(uvloop.run(measure(size))))


if __name__ == "__main__":
    main()
