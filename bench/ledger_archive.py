"""Question: how fast is usage archived, how many bytes is a record, and how long does a sum over a month take?

Method: the reconciler archives WRITTEN records of SQLite; files that DuckDB fills with made-up records are summed, ROUNDS times.
Reference: DuckDB's plain sum of the one column amount_nano over the same files, in the same run.
Wrong if: a group-by takes over 10 s at 10^8 (--all), or over 1.3 times its share of rows from 10^6 on.
"""

import argparse
import asyncio
import json
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from uuid import UUID

import duckdb
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keisan.control.reconcilers.archive import ARCHIVE_ID, ArchiveReconciler
from keisan.domain.access import OrganizationScope, PlatformScope, Scope
from keisan.domain.archive import AnalysisKey, ArchiveFile
from keisan.domain.entry import EntryKind
from keisan.domain.ids import (
    DeploymentId,
    EntryId,
    KeyId,
    MachineId,
    ModelId,
    OrganizationId,
    PriceId,
    ProjectId,
    ProviderId,
    RecordId,
    ReplicaId,
    SiteId,
    hash_public_key,
)
from keisan.domain.model import Surface
from keisan.domain.platform import Platform, PlatformKind
from keisan.domain.price import TokenClass
from keisan.domain.usage import CallOutcome, Charge, PostedRecord, UsageContext, UsageRecord, UsageSource
from keisan.kit.clock import SystemClock, to_milliseconds
from keisan.kit.ids import create_id
from keisan.kit.signature import KeySigner
from keisan.ledger.journal import EntryDraft, Journal
from keisan.storage.archive_folder import ArchiveFolder
from keisan.storage.archive_name import name_file
from keisan.storage.archive_query import open_engine, sum_records
from keisan.storage.archive_schema import NAMES
from keisan.storage.base_archive import ArchiveSelection
from keisan.storage.database import Database
from keisan.storage.sqlite import open_sqlite

WRITTEN = 100_000
QUICK_WRITTEN = 20_000
ENTRY_RECORDS = 1000
ROUNDS = 5
QUICK_ROUNDS = 3
DAYS = 30
FILE_RECORDS = 400_000
FIRST_DAY = date(2026, 10, 1)
LAST_DAY = FIRST_DAY + timedelta(days=DAYS - 1)
DAY_US = 86_400_000_000
ORGANIZATIONS = 500
PUBLIC_KEY = bytes(32)
CASES: dict[str, tuple[AnalysisKey, ...]] = {
    "model,day": (AnalysisKey.MODEL, AnalysisKey.DAY),
    "organization": (AnalysisKey.ORGANIZATION,),
    "hour,provider": (AnalysisKey.HOUR, AnalysisKey.PROVIDER),
}


def name_id(group: int, number: int) -> UUID:
    """Return a fixed id."""
    return UUID(int=group << 64 | number)


def create_records(random: Random, entry_id: EntryId, count: int) -> Iterator[PostedRecord]:
    """Yield records as a busy platform has them: 500 contexts, digests and ids that no compression makes shorter."""
    for _ in range(count):
        own = random.randrange(ORGANIZATIONS)
        context = UsageContext(
            platform_id=hash_public_key(PUBLIC_KEY),
            gateway_id=MachineId(name_id(1, own % 4)),
            organization_id=OrganizationId(name_id(2, own)),
            project_id=ProjectId(name_id(3, own)),
            key_id=KeyId(name_id(4, own)),
            model_id=ModelId(name_id(5, own % 20)),
            price_id=PriceId(name_id(6, own % 20)),
            deployment_id=DeploymentId(name_id(7, own % 20)),
            replica_id=ReplicaId(name_id(8, own % 60)),
            provider_id=ProviderId(name_id(9, own % 10)),
            site_id=SiteId(name_id(10, own % 30)),
            model_digest=f"sha256:{own % 20:064x}",
        )
        admitted_at = datetime(2026, 10, 1, tzinfo=UTC) + timedelta(microseconds=random.randrange(DAY_US))
        prompt, answer = random.randrange(1, 4000), random.randrange(1, 2000)
        amount_nano = prompt * 500 + answer * 1500
        record = UsageRecord(
            id=RecordId(UUID(int=to_milliseconds(admitted_at) << 80 | 7 << 76 | 2 << 62 | random.getrandbits(62))),
            day=admitted_at.date(),
            context=context,
            surface=Surface.CHAT,
            is_stream=random.random() < 0.7,
            admitted_at=admitted_at,
            duration_us=random.randrange(200_000, 60_000_000),
            first_byte_us=random.randrange(20_000, 2_000_000),
            outcome=CallOutcome.COMPLETED if random.random() < 0.98 else CallOutcome.CLIENT_CLOSED,
            http_status=200,
            usage_source=UsageSource.ENGINE,
            quantities={TokenClass.INPUT: prompt, TokenClass.INPUT_CACHED: prompt // 2, TokenClass.OUTPUT: answer},
            amount_nano=amount_nano,
            request_bytes=prompt * 4,
            response_bytes=answer * 90,
            event_count=answer,
            ticket_id=None,
            content_digest=random.randbytes(32),
        )
        yield PostedRecord(record, Charge(entry_id, "CNY", "cpu-x86-64", amount_nano, 0))


async def fill_database(storage: Database, count: int) -> None:
    """Post records, a thousand an entry; they move no money here."""
    random, signer = Random(1), KeySigner(Ed25519PrivateKey.generate())
    platform_id = hash_public_key(PUBLIC_KEY)
    journal = Journal(platform_id, SystemClock(), signer)
    async with storage.write() as transaction:
        now = datetime(2026, 10, 1, tzinfo=UTC)
        await transaction.platform.insert(
            Platform(platform_id, "bench", PlatformKind.NATIONAL, "JP-13", PUBLIC_KEY, 1, now)
        )
    for _ in range(0, count, ENTRY_RECORDS):
        entry_id = EntryId(create_id())
        async with storage.write() as transaction:
            await transaction.usage.insert_many(list(create_records(random, entry_id, ENTRY_RECORDS)))
            draft = EntryDraft(EntryKind.USAGE, (), leaf_hashes=[bytes(32)] * ENTRY_RECORDS, id=entry_id)
            await journal.write_entry(transaction, draft)


async def measure_writing(root: Path, count: int) -> dict[str, object]:
    """Archive all that a database holds and return the records per second and the bytes of each."""
    storage = open_sqlite(root / "keisan.db", SystemClock())
    try:
        await storage.migrate()
        await fill_database(storage, count)
        reconciler = ArchiveReconciler(storage, ArchiveFolder(root / "archive", SystemClock()), SystemClock())
        longest_s, took_s, is_idle = 0.0, 0.0, False
        while not is_idle:
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(watch_loop())
                began_s = time.perf_counter()
                is_idle = await run_round(storage, reconciler)
                took_s += time.perf_counter() - began_s
                watching.cancel()
            longest_s = max(longest_s, watching.result())
        async with storage.read() as view:
            files = await view.archive.list_files(date.min, date.max)
    finally:
        await storage.close()
    records = sum(each.record_count for each in files)
    assert records == count
    return {
        "records": records,
        "records_per_s": round(records / took_s),
        "bytes_per_record": round(sum(each.size_bytes for each in files) / records, 1),
        "database_bytes_per_record": round((root / "keisan.db").stat().st_size / records, 1),
        "loop_held_ms_max": round(longest_s * 1000, 1),
    }


async def watch_loop() -> float:
    """Return the longest time for which the event loop did not come round, once cancelled."""
    longest_s = 0.0
    while True:
        began_s = time.perf_counter()
        try:
            await asyncio.sleep(0.001)
        except asyncio.CancelledError:
            return longest_s
        longest_s = max(longest_s, time.perf_counter() - began_s - 0.001)


async def run_round(storage: Database, reconciler: ArchiveReconciler) -> bool:
    """Do one round of the lease loop, and tell whether there was nothing to do."""
    async with storage.read() as view:
        state = await reconciler.load(view, ARCHIVE_ID)
    # As if a minute had gone by: what is left over from full runs goes too.
    state = replace(state, cursor=replace(state.cursor, archived_at=None))
    change = reconciler.decide(state, datetime.now(UTC))
    change = await reconciler.perform(change)
    async with storage.write() as transaction:
        await reconciler.apply(transaction, change, datetime.now(UTC))
    return change.is_idle


def write_synthetic(root: Path, count: int) -> list[ArchiveFile]:
    """Let DuckDB write files of the archive's schema, and return them as the list would have them."""
    files: list[ArchiveFile] = []
    share = count // DAYS
    with duckdb.connect() as engine:
        for number in range(DAYS):
            day = FIRST_DAY + timedelta(days=number)
            for start in range(0, share, FILE_RECORDS):
                records = min(FILE_RECORDS, share - start)
                sequence = 1 + len(files)
                name = name_file(day, sequence, sequence)
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                engine.execute(write_copy(path, day, sequence, records))
                files.append(
                    ArchiveFile(name, day, sequence, sequence, records, path.stat().st_size, datetime.now(UTC))
                )
    return files


def write_copy(path: Path, day: date, sequence: int, records: int) -> str:
    """Return the statement that writes one file; each column has about as many values as a real one."""

    def spread(group: int, values: int) -> str:
        return f"CAST(md5('{group}-' || (own % {values})) AS UUID)"

    columns = {
        "entry_sequence": f"CAST({sequence} AS BIGINT)",
        "entry_id": f"CAST(md5('{sequence}') AS UUID)",
        "id": "uuidv7()",
        "day": f"DATE '{day}'",
        "surface": "'chat'",
        "is_stream": "random() < 0.7",
        "admitted_at": f"make_timestamptz({int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())} * CAST(1000000 AS BIGINT) + place * ({DAY_US} // {records}))",
        "outcome": "CASE WHEN random() < 0.98 THEN 'completed' ELSE 'client_closed' END",
        "usage_source": "'engine'",
        "http_status": "CAST(200 AS INTEGER)",
        "content_digest": "unhex(sha256(CAST(random() AS VARCHAR)))",
        "amount_nano": "CAST(input * 500 + output * 1500 AS DECIMAL(38, 0))",
        "provider_nano": "CAST(input * 500 + output * 1500 AS DECIMAL(38, 0))",
        "tax_nano": "CAST(0 AS DECIMAL(38, 0))",
        "input_tokens": "input",
        "input_cached_tokens": "input // 2",
        "output_tokens": "output",
        "input_cache_write_tokens": "CAST(NULL AS BIGINT)",
        "reasoning_tokens": "CAST(NULL AS BIGINT)",
        "ticket_id": "CAST(NULL AS UUID)",
        "platform_id": f"'{'ab' * 32}'",
        "model_digest": "'sha256:' || md5(CAST(own % 20 AS VARCHAR))",
        "currency": "'CNY'",
        "chip": "'cpu-x86-64'",
        "organization_id": spread(2, ORGANIZATIONS),
        "project_id": spread(3, ORGANIZATIONS),
        "key_id": spread(4, ORGANIZATIONS),
        **{name: spread(5, 20) for name in ("model_id", "price_id", "deployment_id", "replica_id", "gateway_id")},
        "provider_id": spread(9, 10),
        "site_id": spread(10, 30),
    }
    numbers = "CAST(random() * 60000000 AS BIGINT)"
    listed = ", ".join(f"{columns.get(name, numbers)} AS {name}" for name in NAMES)
    # In the order of a row group: an organization's records stand together.
    made = (
        f"SELECT *, place * {ORGANIZATIONS} // {records} AS own, CAST(random() * 4000 AS BIGINT) AS input, "
        f"CAST(random() * 2000 AS BIGINT) AS output FROM range({records}) made(place)"
    )
    return f"COPY (SELECT {listed} FROM ({made})) TO '{path}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)"


def time_rounds(work: Callable[[], object], rounds: int) -> list[float]:
    """Return seconds of each round, after one that warms the file system's cache."""
    work()
    found = []
    for _ in range(rounds):
        began_s = time.perf_counter()
        work()
        found.append(time.perf_counter() - began_s)
    return sorted(found)


def measure_sums(root: Path, files: Sequence[ArchiveFile], rounds: int) -> dict[str, object]:
    """Return seconds of each group-by, and of the reference, over the same files."""

    def analyse(scope: Scope, keys: Sequence[AnalysisKey]) -> None:
        with open_engine(root) as engine:
            assert sum_records(engine, root, ArchiveSelection(scope, files, FIRST_DAY, LAST_DAY), keys)

    def scan() -> None:
        with open_engine(root) as engine:
            engine.execute("SELECT sum(amount_nano) FROM read_parquet(?)", [names]).fetchall()

    names = [str(root / each.name) for each in files]
    reference_s = time_rounds(scan, rounds)
    with duckdb.connect() as engine:
        (one,) = engine.execute("SELECT any_value(organization_id) FROM read_parquet(?)", [names[:1]]).fetchone() or ()
    own = OrganizationScope(OrganizationId(one))
    cases = {name: time_rounds(partial(analyse, PlatformScope(), keys), rounds) for name, keys in CASES.items()}
    cases["one organization by model,day"] = time_rounds(partial(analyse, own, CASES["model,day"]), rounds)
    return {
        "records": sum(each.record_count for each in files),
        "files": len(files),
        "bytes_per_record": round(sum(each.size_bytes for each in files) / sum(each.record_count for each in files), 1),
        "reference_s": round(statistics.median(reference_s), 3),
        "cases": {
            name: {
                "p50_s": round(statistics.median(found), 3),
                "p99_s": round(found[-1], 3),
                "spread_s": [round(found[0], 3), round(found[-1], 3)],
                "ratio_to_reference": round(statistics.median(found) / statistics.median(reference_s), 2),
            }
            for name, found in cases.items()
        },
    }


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--all", action="store_true", help="10^8 records too: minutes, and 8 GB of disk")
    options = parser.parse_args()
    rounds = QUICK_ROUNDS if options.quick else ROUNDS
    sizes = [10**6] if options.quick else [10**6, 10**7, *([10**8] if options.all else [])]
    sums: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory(prefix="keisan-archive-") as folder:
        writing = asyncio.run(measure_writing(Path(folder), QUICK_WRITTEN if options.quick else WRITTEN))
        for size in sizes:
            root = Path(folder) / str(size)
            sums.append(measure_sums(root, write_synthetic(root, size), rounds))
    report = {
        "bench": "ledger_archive",
        "n": rounds,
        "processors": os.cpu_count(),
        "writing": writing,
        "sums": sums,
        "memory_bytes_max": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
