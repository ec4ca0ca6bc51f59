"""PostgreSQL's particulars: partitions by day, limits, and what each of its errors means."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from keisan.domain.account import AccountKind, Posting
from keisan.domain.errors import (
    AlreadyExists,
    InvalidInput,
    InvariantBroken,
    KeisanError,
    SettingsInvalid,
    StateConflict,
    StorageUnavailable,
    TransactionConflict,
)
from keisan.domain.ids import AccountId, EntryId
from keisan.domain.usage import UsageRecord
from keisan.kit.ids import create_id
from keisan.storage import postgresql
from keisan.storage.account import account
from keisan.storage.database import Database, DatabaseTransaction
from keisan.storage.postgresql import name_partition, open_postgresql
from tests.databases import SharedPostgresql, connect_postgresql
from tests.deadline import let_time_pass_async
from tests.domain.samples import build_posted, change_record, create_record_id
from tests.factories import NOW, FixedClock, create_organization, plant_world
from tests.postgresql import PostgresqlServer, run_server
from tests.storage.announced_end import stand_between
from tests.storage.rows import execute, fetch_value

pytestmark = pytest.mark.postgresql
DATABASE = "killed"
KILLS = 10
CALLERS = 12
# As long as a busy server takes for a few statements, so that some connections are idle, and some in use.
BETWEEN_S_MAX = 0.3
DAY = date(2031, 5, 17)
Door = Callable[[], contextlib.AbstractAsyncContextManager[DatabaseTransaction]]
PARTITIONS = text("SELECT count(*) FROM pg_inherits WHERE inhparent = 'usage_record'::regclass")


@pytest.fixture
async def fresh_storage(postgresql_url: str, clock: FixedClock) -> AsyncIterator[Database]:
    """A database of its own, since partitions outlive the rows of the shared one."""
    storage = open_postgresql(postgresql_url, clock)
    await storage.migrate()
    yield storage
    await storage.close()


def move_record(record: UsageRecord, day: date) -> UsageRecord:
    return record._replace(id=create_record_id(NOW), day=day)


async def insert(storage: Database, *records: UsageRecord) -> None:
    async with storage.write() as transaction:
        await transaction.usage.insert_many([build_posted(record) for record in records])


async def count_partitions(storage: Database) -> int:
    return int(str(await fetch_value(storage, PARTITIONS)))


async def test_day_gets_its_partition_with_its_first_record(fresh_storage: Database) -> None:
    record = (await plant_world(fresh_storage)).left.record
    assert await count_partitions(fresh_storage) == 3
    await insert(fresh_storage, *(move_record(record, DAY + timedelta(days=days)) for days in (0, 1, 0)))
    assert await count_partitions(fresh_storage) == 5
    assert await fetch_value(fresh_storage, text(f"SELECT count(*) FROM {name_partition(DAY)}")) == 2


async def test_days_beyond_reason_share_a_partition(fresh_storage: Database) -> None:
    record = (await plant_world(fresh_storage)).left.record
    mad = [date(1, 1, 1), date(1970, 1, 1), date(2019, 12, 31), date(2100, 1, 1), date(9999, 12, 31)]
    await insert(fresh_storage, *(move_record(record, day) for day in mad))
    assert await count_partitions(fresh_storage) == 3
    assert await fetch_value(fresh_storage, text("SELECT count(*) FROM usage_record_early")) == 3
    assert await fetch_value(fresh_storage, text("SELECT count(*) FROM usage_record_late")) == 2


async def test_first_records_of_a_day_race(fresh_storage: Database) -> None:
    world = await plant_world(fresh_storage)
    gateways = [create_id() for _ in range(6)]

    async def hand_in(position: int) -> None:
        days = (DAY, DAY + timedelta(days=1)) if position % 2 else (DAY + timedelta(days=1), DAY)
        records = [change_record(move_record(world.left.record, day), gateway_id=gateways[position]) for day in days]
        await insert(fresh_storage, *records)

    async with asyncio.TaskGroup() as group:
        for position in range(len(gateways)):
            group.create_task(hand_in(position))
    assert await fetch_value(fresh_storage, text(f"SELECT count(*) FROM {name_partition(DAY)}")) == len(gateways)
    assert await count_partitions(fresh_storage) == 5


async def test_new_day_waits_for_no_reader(fresh_storage: Database) -> None:
    record = (await plant_world(fresh_storage)).left.record
    async with fresh_storage.read() as view:
        await view.usage.find_digests({record.id: record.day})
        async with asyncio.timeout(30):
            await insert(fresh_storage, move_record(record, DAY))
        assert await view.usage.find_digests({record.id: record.day}) == {record.id: record.content_digest}


async def test_rollback_takes_the_partition_along(fresh_storage: Database) -> None:
    record = (await plant_world(fresh_storage)).left.record

    async def fail() -> None:
        async with fresh_storage.write() as transaction:
            await transaction.usage.insert_many([build_posted(move_record(record, DAY))])
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    assert await count_partitions(fresh_storage) == 3
    await insert(fresh_storage, move_record(record, DAY))
    assert await count_partitions(fresh_storage) == 4


@pytest.mark.parametrize("verb", ["UPDATE {} SET amount_nano = 1", "DELETE FROM {}"])
async def test_partition_refuses_changes_too(fresh_storage: Database, verb: str) -> None:
    record = (await plant_world(fresh_storage)).left.record
    await insert(fresh_storage, move_record(record, DAY))
    with pytest.raises(InvariantBroken, match="append-only"):
        await execute(fresh_storage, text(verb.format(name_partition(DAY))))


@pytest.mark.parametrize("table", ["event", "posting", "usage_record", "usage_context", "entry"])
async def test_append_only_tables_refuse_truncate(postgresql_storage: Database, table: str) -> None:
    with pytest.raises(InvariantBroken, match="append-only"):
        await execute(postgresql_storage, text(f"TRUNCATE {table} CASCADE"))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("40001", TransactionConflict),
        ("40P01", TransactionConflict),
        ("40003", StorageUnavailable),
        ("55P03", StorageUnavailable),
        ("57014", StorageUnavailable),
        ("57P01", StorageUnavailable),
        ("53300", StorageUnavailable),
        ("53100", StorageUnavailable),
        ("08006", StorageUnavailable),
        ("42P01", StorageUnavailable),
        ("XX001", StorageUnavailable),
        ("23505", AlreadyExists),
        ("23503", StateConflict),
        ("23514", InvariantBroken),
        ("23001", InvariantBroken),
        ("25006", InvariantBroken),
        ("22003", InvalidInput),
        ("22021", InvalidInput),
        ("P0001", InvariantBroken),
    ],
)
async def test_error_code_means(postgresql_storage: Database, code: str, expected: type[KeisanError]) -> None:
    with pytest.raises(KeisanError) as caught:
        await execute(postgresql_storage, text(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$"))
    assert type(caught.value) is expected


async def test_text_that_it_does_not_take_is_invalid(postgresql_storage: Database) -> None:
    with pytest.raises(InvalidInput):
        async with postgresql_storage.write() as transaction:
            await transaction.organizations.insert(create_organization("nul \x00"))


async def test_real_deadlock_is_retryable_and_one_gets_through(postgresql_storage: Database) -> None:
    first, second = create_organization(), create_organization()
    async with postgresql_storage.write() as transaction:
        await transaction.organizations.insert(first)
        await transaction.organizations.insert(second)
    both_hold = asyncio.Barrier(2)

    async def cross(order: tuple[int, int]) -> bool:
        pair = (first, second)
        try:
            async with postgresql_storage.write() as transaction:
                await transaction.organizations.update(replace(pair[order[0]], version=2))
                await both_hold.wait()
                await transaction.organizations.update(replace(pair[order[1]], version=2))
        except TransactionConflict:
            return False
        return True

    async with asyncio.TaskGroup() as group:
        crossing = [group.create_task(cross(order)) for order in ((0, 1), (1, 0))]
    assert sorted(each.result() for each in crossing) == [False, True]


async def test_accounts_are_locked_in_order_of_id(postgresql_storage: Database) -> None:
    """Two batches over the same accounts then never wait for each other, however the rows lie on the disk."""
    low, high = AccountId(create_id()), AccountId(create_id())
    for account_id in (high, low):
        row = {"id": account_id, "platform_id": "x", "kind": AccountKind.SUSPENSE, "currency": "CNY"}
        rest = {"balance_nano": 0, "created_at": NOW, "holder": str(account_id)}
        await execute(postgresql_storage, account.insert().values(row | rest))
    posting = Posting(EntryId(create_id()), high, low, "CNY", 7, 1, NOW)

    async def post() -> None:
        async with postgresql_storage.write() as transaction:
            await transaction.accounts.post([posting])

    async with asyncio.TaskGroup() as group, postgresql_storage._dialect.open_writer() as holder:
        await holder.execute(select(account.c.id).where(account.c.id == low).with_for_update())
        group.create_task(post())
        await wait_for_waiter(postgresql_storage)
        free = select(account.c.id).where(account.c.id == high).with_for_update(nowait=True)
        assert await holder.scalar(free) == high
    assert await fetch_value(postgresql_storage, select(account.c.balance_nano).where(account.c.id == low)) == 7


async def wait_for_waiter(storage: Database) -> None:
    """Return once some statement waits for a lock."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with asyncio.timeout(10):
        # Each question is a round trip of its own, so this polls no faster than the server answers.
        while not await fetch_value(storage, waiting):
            pass


async def test_waiting_for_a_lock_has_an_end(
    shared_postgresql: SharedPostgresql,
    postgresql_storage: Database,
    clock: FixedClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    organization = create_organization()
    async with postgresql_storage.write() as transaction:
        await transaction.organizations.insert(organization)
    monkeypatch.setattr(postgresql, "LOCK_TIMEOUT_S", 1)
    impatient = open_postgresql(shared_postgresql.url, clock)
    async with postgresql_storage.write() as transaction:
        await transaction.organizations.update(replace(organization, version=2))
        with pytest.raises(StorageUnavailable):
            async with impatient.write() as waiting:
                await waiting.organizations.update(replace(organization, version=2))
    await impatient.close()


async def test_cut_connection_is_retryable_and_the_next_works(
    shared_postgresql: SharedPostgresql, postgresql_storage: Database
) -> None:
    organization = create_organization()

    async def fail() -> None:
        async with postgresql_storage.write() as transaction:
            await transaction.organizations.insert(organization)
            await cut_all(shared_postgresql)
            await transaction.organizations.insert(create_organization())

    with pytest.raises(StorageUnavailable):
        await fail()
    async with postgresql_storage.write() as transaction:
        await transaction.organizations.insert(organization)


async def test_connection_cut_before_commit_leaves_nothing(
    shared_postgresql: SharedPostgresql, postgresql_storage: Database
) -> None:
    organization = create_organization()

    async def fail() -> None:
        async with postgresql_storage.write() as transaction:
            await transaction.organizations.insert(organization)
            await cut_all(shared_postgresql)

    with pytest.raises(StorageUnavailable):
        await fail()
    async with postgresql_storage.write() as transaction:
        await transaction.organizations.insert(organization)


async def test_view_that_has_read_is_not_told_of_a_cut(
    shared_postgresql: SharedPostgresql, postgresql_storage: Database
) -> None:
    async with postgresql_storage.read() as view:
        mark = await view.snapshot.get_mark()
        await cut_all(shared_postgresql)
    async with postgresql_storage.read() as view:
        assert await view.snapshot.get_mark() == mark


@pytest.mark.parametrize("error", [KeyError, asyncio.CancelledError])
async def test_error_of_a_block_outlives_a_rollback_that_fails(
    shared_postgresql: SharedPostgresql, postgresql_storage: Database, error: type[BaseException]
) -> None:
    async def fail(door: Door) -> None:
        async with door() as view:
            await view.snapshot.get_mark()
            await cut_all(shared_postgresql)
            raise error

    for door in (postgresql_storage.read, postgresql_storage.write):
        with pytest.raises(error):
            await fail(door)


async def cut_all(shared: SharedPostgresql) -> None:
    connection = await connect_postgresql(shared.server, "postgres")
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(connection.close)
        await connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1", shared.name
        )


@pytest.fixture
async def killed(postgresql_programs: Path) -> AsyncIterator[tuple[PostgresqlServer, Database]]:
    """A server of this test's own, and storage on it."""
    with run_server(postgresql_programs) as server:
        server.create_database(DATABASE)
        storage = open_postgresql(server.format_url(DATABASE), FixedClock())
        await storage.migrate()
        try:
            yield server, storage
        finally:
            await storage.close()


async def read_twice(storage: Database) -> None:
    async with storage.read() as view:
        await view.snapshot.get_mark()
        await view.snapshot.get_mark()


async def write_once(storage: Database) -> None:
    async with storage.write() as transaction:
        await transaction.organizations.insert(create_organization())


async def test_killed_server_is_unavailable_and_nothing_else(killed: tuple[PostgresqlServer, Database]) -> None:
    server, storage = killed
    told: Counter[str] = Counter()
    is_over = asyncio.Event()

    async def call(source: random.Random) -> None:
        while not is_over.is_set():
            try:
                await source.choice((read_twice, write_once))(storage)
                told["done"] += 1
            except StorageUnavailable:
                told["unavailable"] += 1
            await let_time_pass_async(source.uniform(0, BETWEEN_S_MAX / 10))

    async with asyncio.TaskGroup() as group:
        for seed in range(CALLERS):
            group.create_task(call(random.Random(seed)))
        for _ in range(KILLS):
            await let_time_pass_async(random.uniform(0, BETWEEN_S_MAX))
            server.kill()
            await server.start_beside()
        is_over.set()
    assert told["done"]
    assert told["unavailable"]
    await read_twice(storage)
    await write_once(storage)


async def test_server_that_is_back_refuses_nobody(killed: tuple[PostgresqlServer, Database]) -> None:
    server, storage = killed
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(3):
            await (await stack.enter_async_context(storage.read())).snapshot.get_mark()
    server.kill()
    await server.start_beside()
    # One after the other, so that each would have its turn with what is left of a connection.
    for count in range(3):
        await read_twice(storage)
        await write_once(storage)
        assert await fetch_value(storage, text("SELECT count(*) FROM organization")) == count + 1


async def test_connection_whose_end_was_announced_is_not_used_again(
    killed: tuple[PostgresqlServer, Database],
) -> None:
    """A server says that it ends before it closes: in between, the driver refuses statements with an error of its own."""
    async with stand_between(killed[0], DATABASE) as (url, announce):
        storage = open_postgresql(url, FixedClock())
        await read_twice(storage)
        await announce()
        with pytest.raises(StorageUnavailable, match="another operation"):
            await read_twice(storage)
        await read_twice(storage)
        await storage.close()


async def test_pool_has_an_end(postgresql_storage: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql_storage._dialect._writer.sync_engine.pool, "_timeout", 0.05)  # type: ignore[attr-defined]  # PostgreSQL's own
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(postgresql.CONNECTIONS_MAX):
            await stack.enter_async_context(postgresql_storage.read())
        with pytest.raises(StorageUnavailable):
            async with postgresql_storage.read():
                pass


@pytest.mark.parametrize("fault", ["host", "database"])
async def test_database_that_is_not_there_is_unavailable(
    shared_postgresql: SharedPostgresql, clock: FixedClock, fault: str
) -> None:
    url = shared_postgresql.url
    wrong = url.replace("host=/", "host=/nowhere/") if fault == "host" else url.replace(shared_postgresql.name, "none")
    storage = open_postgresql(wrong, clock)
    with pytest.raises(StorageUnavailable):
        await storage.check()
    with pytest.raises(StorageUnavailable):
        await storage.migrate()
    await storage.close()


@pytest.mark.parametrize("url", ["", "nonsense", "sqlite:///keisan.db", "mysql://host/keisan"])
def test_wrong_url_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(SettingsInvalid):
        open_postgresql(url, FixedClock())


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+asyncpg", "postgresql+psycopg"])
async def test_any_driver_of_the_url_will_do(shared_postgresql: SharedPostgresql, scheme: str) -> None:
    storage = open_postgresql(shared_postgresql.url.replace("postgresql+asyncpg", scheme), FixedClock())
    await storage.check()
    await storage.close()


def test_partition_is_named_by_its_day() -> None:
    assert name_partition(NOW.date()) == "usage_record_20261123"
