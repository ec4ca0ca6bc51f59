"""Question: how many usage records does the ledger post a second, on PostgreSQL and SQLite, and what does each cost?

Method: uploads of two gateways go through all of intake, in one process, while credit is exchanged; PostgreSQL with fsync.
Reference: rows by COPY into a table without a key, on the same server in the same run; DESIGN: 20,000 and 5,000 a second.
Wrong if: a batch is not whole in the database at the end, the audit finds a difference, or the records name one key.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil
import uvloop

from keisan.daemon.memory import settle_platform
from keisan.domain.access import PlatformScope
from keisan.domain.ticket import CreditTerms
from keisan.kit.clock import SystemClock
from keisan.kit.ids import create_id
from keisan.ledger.audit import audit_ledger
from keisan.ledger.credit import exchange_credit
from keisan.ledger.intake import accept_usage
from keisan.storage.postgresql import open_postgresql
from keisan.storage.sqlite import open_sqlite
from keisan.wire.credit import CreditReport
from keisan.wire.usage import split_usage_batch
from stage.cache import tell
from stage.ledger import BATCH_RECORDS, Books, open_books, write_batches
from stage.server import open_server
from tests.postgresql import PostgresqlServer

TARGETS = {"postgresql": 20_000, "sqlite": 5_000}
STORED = (100_000, 1_000_000)
QUICK_STORED = (30_000, 60_000)
# A figure is taken over so many records of each step, in rounds of so many batches.
ROUND_BATCHES = 10
ROUNDS, QUICK_ROUNDS = 10, 1
CREDIT_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True)
class Round:
    """Some batches: how long, and the processor's time of this process and of the server's."""

    records: int
    duration_s: float
    own_cpu_s: float
    server_cpu_s: float


def read_server_cpu_s(server: PostgresqlServer | None) -> float:
    """Return the processor's time of all processes of a server, those that have ended not counted."""
    if server is None:
        return 0.0
    # Read as processes are listed, because the server's short-lived ones end at any moment.
    own = [
        each.info["cpu_times"] for each in psutil.process_iter(["name", "cpu_times"]) if each.info["name"] == "postgres"
    ]
    return sum(sum(times[:2]) for times in own if times is not None)


async def post_batches(books: Books, gateway: int, bodies: list[bytes]) -> None:
    """Hand in uploads one after the other, as a gateway does."""
    for body in bodies:
        answers = await accept_usage(books.storage, books.journal, books.gateway_ids[gateway], split_usage_batch(body))
        others = [answer for answer in answers if answer.outcome != "created" or answer.code]
        assert not others, others[0]


async def exchange_for_ever(books: Books) -> None:
    """Exchange credit for both gateways again and again."""
    incarnation, sequence = create_id(), 0
    while True:
        sequence += 1
        for gateway_id in books.gateway_ids:
            report = CreditReport(incarnation=incarnation, is_spool_passed=False, sequence=sequence)
            await exchange_credit(books.storage, SystemClock(), CreditTerms(), gateway_id, report)
        await asyncio.sleep(CREDIT_PAUSE_S)


async def run_round(books: Books, server: PostgresqlServer | None) -> Round:
    """Post ROUND_BATCHES batches for all gateways together."""
    each = ROUND_BATCHES // len(books.gateway_ids)
    bodies = [list(write_batches(books, gateway_id, each)) for gateway_id in books.gateway_ids]
    cpu, server_cpu, started = time.process_time(), read_server_cpu_s(server), time.monotonic()
    async with asyncio.TaskGroup() as group:
        trading = group.create_task(exchange_for_ever(books))
        async with asyncio.TaskGroup() as posting:
            for gateway, own in enumerate(bodies):
                posting.create_task(post_batches(books, gateway, own))
        trading.cancel()
    duration_s = time.monotonic() - started
    cpu_s, server_s = time.process_time() - cpu, read_server_cpu_s(server) - server_cpu
    return Round(each * len(bodies) * BATCH_RECORDS, duration_s, cpu_s, server_s)


async def run_steps(
    books: Books, server: PostgresqlServer | None, stored: tuple[int, ...], rounds: int
) -> list[dict[str, object]]:
    """Fill the database step by step, and take a figure at each."""
    steps: list[dict[str, object]] = []
    count = 0
    for wanted in stored:
        while count < wanted:
            count += (await run_round(books, server)).records
        taken = [await run_round(books, server) for _ in range(rounds)]
        count += sum(each.records for each in taken)
        rates = sorted(each.records / each.duration_s for each in taken)
        steps.append(
            {
                "stored": wanted,
                "records_per_s": [round(median(rates)), round(rates[0]), round(rates[-1])],
                "own_cpu_us": round(median(each.own_cpu_s / each.records for each in taken) * 1e6, 1),
                "server_cpu_us": round(median(each.server_cpu_s / each.records for each in taken) * 1e6, 1),
            }
        )
        tell(f"bench: {json.dumps(steps[-1])}")
    async with books.storage.read() as view:
        assert await view.usage.count(PlatformScope()) == count, "a batch is not whole"
    return steps


async def check_books(books: Books) -> None:
    """Audit what was posted."""
    async with books.storage.read() as view:
        audit = await audit_ledger(view, lambda _: None)
    assert audit.difference is None, audit.difference


async def measure_copy(server: PostgresqlServer, rows: int) -> float:
    """Return how many rows of a record's width COPY puts a second into a table without a key."""
    import asyncpg  # only where there is a server

    connection = await asyncpg.connect(host=str(server.socket_folder), user="postgres", database="books")
    columns = "id uuid, context uuid, a bigint, b bigint, c bigint, amount numeric, digest bytea, word text"
    await connection.execute(f"CREATE TABLE bare ({columns})")
    one = (create_id(), create_id(), 1, 2, 3, 30500, os.urandom(32), "completed")
    started = time.monotonic()
    for _ in range(rows // BATCH_RECORDS):
        await connection.copy_records_to_table("bare", records=[one] * BATCH_RECORDS)
    duration_s = time.monotonic() - started
    await connection.close()
    return rows / duration_s


async def measure(stored: tuple[int, ...], rounds: int, databases: frozenset[str]) -> dict[str, object]:
    """Return the figures of each database."""
    line: dict[str, object] = {"bench": "ledger_posting", "batch_records": BATCH_RECORDS}
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(open_server()) if "postgresql" in databases else None
        if server is not None:
            books = await stack.enter_async_context(
                open_books(open_postgresql(server.format_url("books"), SystemClock()))
            )
            line["postgresql"] = await run_steps(books, server, stored, rounds)
            await check_books(books)
            copy_per_s = await measure_copy(server, stored[0])
            line["postgresql_copy_per_s"] = round(copy_per_s)
    if "sqlite" in databases:
        with tempfile.TemporaryDirectory() as folder:
            async with open_books(open_sqlite(Path(folder) / "books.db", SystemClock())) as books:
                line["sqlite"] = await run_steps(books, None, stored, rounds)
                await check_books(books)
    for name, target in TARGETS.items():
        steps = line.get(name)
        if isinstance(steps, list):
            line[f"{name}_records_per_s"] = steps[-1]["records_per_s"][0]
            line[f"{name}_ratio_to_target"] = round(steps[-1]["records_per_s"][0] / target, 2)
    return line


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="under a minute")
    parser.add_argument("--stored", type=int, action="append", help="a step: records stored before a figure is taken")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--database", choices=TARGETS, action="append", help="this one alone; both without")
    options = parser.parse_args()
    stored = tuple(options.stored or (QUICK_STORED if options.quick else STORED))
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    settle_platform()
    print(json.dumps(uvloop.run(measure(stored, rounds, frozenset(options.database or TARGETS)))))


if __name__ == "__main__":
    main()
