"""Question: how long do an audit of all records and a statement of one organization that made them all take, and in what memory?

Method: uploads are posted; then the ledger is audited and the organization's statement drawn and sealed, on both databases.
Reference: counting the same records in the same database, in the same run.
Wrong if: audit or statement find a difference or count other records than were posted, or a record's time grows with size.
"""

import argparse
import json
import resource
import tempfile
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from keisan.daemon.memory import settle_platform
from keisan.domain.access import PlatformScope
from keisan.domain.statement import HolderKind, StatementHolder, StatementSpan, find_period
from keisan.kit.clock import SystemClock
from keisan.ledger.audit import audit_ledger
from keisan.ledger.intake import accept_usage
from keisan.ledger.statement import check_seal, draw_statement, seal_records
from keisan.storage.postgresql import open_postgresql
from keisan.storage.sqlite import open_sqlite
from keisan.wire.usage import split_usage_batch
from stage.cache import tell
from stage.ledger import BATCH_RECORDS, Books, open_books, write_batches
from stage.server import open_server
from tests.postgresql import PostgresqlServer

STORED = (100_000, 1_000_000)
QUICK_STORED = (30_000, 60_000)
DATABASES = ("postgresql", "sqlite")
# What the books' price is in.
CURRENCY = "CNY"


async def fill(books: Books, count: int, wanted: int) -> int:
    """Post records until at least so many are stored, and return how many are."""
    while count < wanted:
        for gateway_id in books.gateway_ids:
            for body in write_batches(books, gateway_id, 1):
                await accept_usage(books.storage, books.journal, gateway_id, split_usage_batch(body))
            count += BATCH_RECORDS
    return count


async def measure_reading(books: Books, stored: int) -> dict[str, object]:
    """Audit what is stored, and draw and seal the statement of it."""
    async with books.storage.read() as view:
        started, cpu = time.monotonic(), time.process_time()
        audit = await audit_ledger(view, lambda _: None)
        audit_s, cpu_s = time.monotonic() - started, time.process_time() - cpu
        assert audit.difference is None, audit.difference
        assert audit.record_count == stored, (audit.record_count, stored)
        started = time.monotonic()
        assert await view.usage.count(PlatformScope()) == stored
        counted_s = time.monotonic() - started
        holder = StatementHolder(HolderKind.CUSTOMER, books.payers[0].organization_id, CURRENCY)
        started = time.monotonic()
        period = find_period(datetime.now(UTC).date())
        content = await draw_statement(view, PlatformScope(), holder, period)
        drawn_s = time.monotonic() - started
        span = StatementSpan(holder, period, None, content.entry_sequence)
        check_seal(content, await seal_records(view, PlatformScope(), span))
        sealed_s = time.monotonic() - started
        assert content.totals.record_count == stored, (content.totals, stored)
    line: dict[str, object] = {
        "stored": stored,
        "audit_s": round(audit_s, 2),
        "records_per_s": round(stored / audit_s),
        "cpu_us": round(cpu_s / stored * 1e6, 1),
        "ratio_to_count": round(audit_s / counted_s, 1),
        "statement_drawn_s": round(drawn_s, 2),
        "statement_closed_s": round(sealed_s, 2),
        "resident_mib_max": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    tell(f"bench: {json.dumps(line)}")
    return line


async def analyze(server: PostgresqlServer | None) -> None:
    """Count what is stored, as the server does by itself within a minute: until then its plans are for empty tables."""
    if server is None:
        return
    import asyncpg  # only where there is a server

    connection = await asyncpg.connect(host=str(server.socket_folder), user="postgres", database="books")
    await connection.execute("ANALYZE")
    await connection.close()


async def run_steps(books: Books, server: PostgresqlServer | None, stored: tuple[int, ...]) -> list[dict[str, object]]:
    """Fill the database step by step, and read all of it at each."""
    steps: list[dict[str, object]] = []
    count = 0
    for wanted in stored:
        count = await fill(books, count, wanted)
        await analyze(server)
        steps.append(await measure_reading(books, count))
    return steps


async def measure(stored: tuple[int, ...], databases: frozenset[str]) -> dict[str, object]:
    """Return the figures of each database."""
    line: dict[str, object] = {"bench": "ledger_audit"}
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(open_server()) if "postgresql" in databases else None
        if server is not None:
            storage = open_postgresql(server.format_url("books"), SystemClock())
            books = await stack.enter_async_context(open_books(storage, organizations=1))
            line["postgresql"] = await run_steps(books, server, stored)
    if "sqlite" in databases:
        with tempfile.TemporaryDirectory() as folder:
            async with open_books(open_sqlite(Path(folder) / "books.db", SystemClock()), organizations=1) as books:
                line["sqlite"] = await run_steps(books, None, stored)
    for name in DATABASES:
        steps = line.get(name)
        if isinstance(steps, list):
            line[f"{name}_records_per_s"] = steps[-1]["records_per_s"]
    return line


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="under a minute")
    parser.add_argument("--stored", type=int, action="append", help="a step: records stored before an audit")
    parser.add_argument("--database", choices=DATABASES, action="append", help="this one alone; both without")
    options = parser.parse_args()
    stored = tuple(options.stored or (QUICK_STORED if options.quick else STORED))
    settle_platform()
    print(json.dumps(uvloop.run(measure(stored, frozenset(options.database or DATABASES)))))


if __name__ == "__main__":
    main()
