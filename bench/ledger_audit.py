"""Question: how long does an audit of all records take, how does that grow, and what does it hold in memory?

Method: uploads are posted until so many records are stored, then the whole ledger is audited, on PostgreSQL and SQLite.
Reference: counting the same records in the same database, in the same run.
Wrong if: the audit finds a difference, counts other records than were posted, or its time a record grows with size.
"""

import argparse
import asyncio
import json
import resource
import tempfile
import time
from pathlib import Path

from keisan.daemon.memory import settle_platform
from keisan.domain.access import PlatformScope
from keisan.kit.clock import SystemClock
from keisan.ledger.audit import audit_ledger
from keisan.ledger.intake import accept_usage
from keisan.storage.postgresql import open_postgresql
from keisan.storage.sqlite import open_sqlite
from keisan.wire.usage import split_usage_batch
from stage.cache import tell
from stage.ledger import BATCH_RECORDS, Books, open_books, write_batches
from stage.server import open_server

STORED = (100_000, 1_000_000)
QUICK_STORED = (30_000, 60_000)


async def fill(books: Books, count: int, wanted: int) -> int:
    """Post records until at least so many are stored, and return how many are."""
    while count < wanted:
        for gateway_id in books.gateway_ids:
            for body in write_batches(books, gateway_id, 1):
                await accept_usage(books.storage, books.journal, gateway_id, split_usage_batch(body))
            count += BATCH_RECORDS
    return count


async def measure_audit(books: Books, stored: int) -> dict[str, object]:
    """Audit what is stored."""
    started, cpu = time.monotonic(), time.process_time()
    async with books.storage.read() as view:
        audit = await audit_ledger(view, lambda _: None)
        duration_s, cpu_s = time.monotonic() - started, time.process_time() - cpu
        assert audit.difference is None, audit.difference
        assert audit.record_count == stored, (audit.record_count, stored)
        started = time.monotonic()
        assert await view.usage.count(PlatformScope()) == stored
        counted_s = time.monotonic() - started
    line: dict[str, object] = {
        "stored": stored,
        "audit_s": round(duration_s, 2),
        "records_per_s": round(stored / duration_s),
        "cpu_us": round(cpu_s / stored * 1e6, 1),
        "ratio_to_count": round(duration_s / counted_s, 1),
        "resident_mib_max": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    tell(f"bench: {json.dumps(line)}")
    return line


async def run_steps(books: Books, stored: tuple[int, ...]) -> list[dict[str, object]]:
    """Fill the database step by step, and audit it at each."""
    steps: list[dict[str, object]] = []
    count = 0
    for wanted in stored:
        count = await fill(books, count, wanted)
        steps.append(await measure_audit(books, count))
    return steps


async def measure(stored: tuple[int, ...]) -> dict[str, object]:
    """Return the figures of both databases."""
    line: dict[str, object] = {"bench": "ledger_audit"}
    async with open_server() as server:
        if server is not None:
            async with open_books(open_postgresql(server.format_url("books"), SystemClock())) as books:
                line["postgresql"] = await run_steps(books, stored)
    with tempfile.TemporaryDirectory() as folder:
        async with open_books(open_sqlite(Path(folder) / "books.db", SystemClock())) as books:
            line["sqlite"] = await run_steps(books, stored)
    for name in ("postgresql", "sqlite"):
        steps = line.get(name)
        if isinstance(steps, list):
            line[f"{name}_records_per_s"] = steps[-1]["records_per_s"]
    return line


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="under a minute")
    parser.add_argument("--stored", type=int, action="append", help="a step: records stored before an audit")
    options = parser.parse_args()
    stored = tuple(options.stored or (QUICK_STORED if options.quick else STORED))
    settle_platform()
    print(json.dumps(asyncio.run(measure(stored))))


if __name__ == "__main__":
    main()
