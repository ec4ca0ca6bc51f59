"""PostgreSQL (13 or later): a bounded pool, limits on how long anything waits, and days as partitions (R12)."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date, timedelta
from uuid import UUID

import asyncpg
from sqlalchemy import ARRAY, ColumnElement, Insert, Table, any_, bindparam, event, func, make_url, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_connection
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidatePoolError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, PoolProxiedConnection

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
from keisan.domain.limits import RETENTION_LOCK_MS
from keisan.kit.clock import Clock
from keisan.storage.connection import open_connection, translate_errors
from keisan.storage.copy import bind_columns
from keisan.storage.database import Database
from keisan.storage.dialect import Changes
from keisan.storage.numeric import decode_numeric, encode_numeric
from keisan.storage.schema import AnyColumn

CONNECTIONS_MAX = 20
CONNECT_TIMEOUT_S = 10
POOL_TIMEOUT_S = 10
STATEMENT_TIMEOUT_S = 30
LOCK_TIMEOUT_S = 10
IDLE_IN_TRANSACTION_TIMEOUT_S = 60
MIGRATION_TIMEOUT_S = 600
# The server gives up on a statement before its client does, so that the client learns why.
CLIENT_MARGIN_S = 5
# Pairs of numbers that name what is locked beside rows; single numbers are gateways.
MIGRATION_LOCK = (0x6B656973, 1)
PARTITION_LOCK = (0x6B656973, 2)
SHARES_LOCK = (0x6B656973, 3)

# SQLSTATE classes and codes of appendix A of PostgreSQL's documentation, by what they mean to callers.
UNAVAILABLE_CLASSES = ("08", "28", "40", "53", "55", "57", "58", "3D", "3F", "0A", "XX")
# Undefined table or column: the schema is not the one expected. 25P03: the server ended an idle transaction.
UNAVAILABLE_CODES = ("42P01", "42703", "25P03")
# A failed serialization and a deadlock: the server has undone the transaction whole, and would take it again at once. Not so
# 40003, after which nobody knows.
CONFLICT_CODES = ("40001", "40P01")
# What is known without the server's word. The driver's internal error: a connection whose end was announced is asked for more.
UNAVAILABLE_ERRORS = (asyncpg.InterfaceError, asyncpg.InternalClientError, PoolTimeout, OSError, TimeoutError)
UNIQUE_VIOLATION = "23505"
FOREIGN_KEY_VIOLATION = "23503"
# Days outside these have one partition before and one after, made by the first migration.
FIRST_DAY = date(2020, 1, 1)
END_DAY = date(2100, 1, 1)


def open_postgresql(url: str, clock: Clock) -> Database:
    """Return storage in the database that a URL names; nothing is connected yet.

    Raises SettingsInvalid for a text that is no URL of PostgreSQL.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise SettingsInvalid("expected a URL such as postgresql://user@host/database", "database_url") from error
    if parsed.get_backend_name() != "postgresql":
        raise SettingsInvalid(f"expected a URL of postgresql, got {parsed.get_backend_name()}", "database_url")
    full = parsed.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)
    return Database(PostgresqlDialect(full), clock)


class PostgresqlDialect:
    """Connections to one database and PostgreSQL's own statements."""

    errors = (SQLAlchemyError, asyncpg.PostgresError, OverflowError, UnicodeError, *UNAVAILABLE_ERRORS)

    def __init__(self, url: str) -> None:
        self._url = url
        self._writer = _create_engine(
            url,
            pool_size=CONNECTIONS_MAX // 2,
            max_overflow=CONNECTIONS_MAX // 2,
            pool_timeout=POOL_TIMEOUT_S,
            connect_args=_build_arguments(STATEMENT_TIMEOUT_S, LOCK_TIMEOUT_S),
        )
        self._reader = self._writer.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @asynccontextmanager
    async def open_reader(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection for one repeatable, read-only view."""
        async with open_connection(self, self._reader) as connection:
            yield connection

    @asynccontextmanager
    async def open_writer(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection that reads what is committed and locks what it changes."""
        async with open_connection(self, self._writer) as connection:
            yield connection

    @asynccontextmanager
    async def open_migrator(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection of its own, with time enough, that waits until no other one migrates."""
        engine = _create_engine(
            self._url,
            poolclass=NullPool,
            connect_args=_build_arguments(MIGRATION_TIMEOUT_S, MIGRATION_TIMEOUT_S),
        )
        try:
            async with open_connection(self, engine) as connection:
                with translate_errors(self):
                    await _lock_pair(connection, MIGRATION_LOCK)
                yield connection
        finally:
            await engine.dispose()

    def insert_or_ignore(self, table: Table) -> Insert:
        """Return an insert that leaves a row alone which has one of its unique keys."""
        return insert(table).on_conflict_do_nothing()

    def upsert(self, table: Table, change: Changes) -> Insert:
        """Return an insert that changes the row with the same primary key."""
        statement = insert(table)
        return statement.on_conflict_do_update(
            index_elements=list(table.primary_key.columns), set_=change(statement.excluded)
        )

    def translate_error(self, error: Exception) -> KeisanError | None:
        """Return what PostgreSQL's or the driver's error means to callers."""
        cause = error.orig.__cause__ or error.orig if isinstance(error, DBAPIError) and error.orig else error
        if isinstance(cause, asyncpg.DataError | OverflowError | UnicodeError):
            return InvalidInput("a value is beyond what can be stored", inside=str(cause))
        code = getattr(cause, "sqlstate", None)
        if code is not None:
            return _translate_code(str(code), str(cause))
        if isinstance(cause, UNAVAILABLE_ERRORS):
            return StorageUnavailable("the database cannot be reached or is busy", str(cause))
        return None

    async def prepare_days(self, connection: AsyncConnection, days: frozenset[date]) -> None:
        """Make the partitions that are missing; one transaction at a time makes them."""
        wanted = {name_partition(day): day for day in days if FIRST_DAY <= day < END_DAY}
        if not await _list_missing(connection, wanted):
            return
        await _lock_pair(connection, PARTITION_LOCK)
        for name in await _list_missing(connection, wanted):
            # Attached and not created in place: that would wait for every reader and hold up every writer.
            await connection.execute(text(f"CREATE TABLE {name} (LIKE usage_record INCLUDING ALL)"))
            first, after = wanted[name], wanted[name] + timedelta(days=1)
            bounds = f"FOR VALUES FROM ('{first}') TO ('{after}')"
            await connection.execute(text(f"ALTER TABLE usage_record ATTACH PARTITION {name} {bounds}"))

    async def lock_gateways(self, connection: AsyncConnection, gateway_ids: Sequence[UUID]) -> None:
        """Take the advisory lock of each gateway until the transaction ends, in the order given."""
        for gateway_id in gateway_ids:
            # The low 62 bits of a UUIDv7 are random.
            await connection.execute(select(func.pg_advisory_xact_lock(gateway_id.int & (2**62 - 1))))

    async def lock_shares(self, connection: AsyncConnection) -> None:
        """Take the advisory lock of all shares until the transaction ends."""
        await _lock_pair(connection, SHARES_LOCK)

    async def hold_days(self, connection: AsyncConnection) -> None:
        """Take a lock that whoever detaches a partition waits for: dropped rows are gone from older views too."""
        await connection.execute(text("LOCK TABLE ONLY usage_record IN ACCESS SHARE MODE"))

    async def drop_day(self, connection: AsyncConnection, day: date) -> bool:
        """Detach and drop a day's partition, waiting for RETENTION_LOCK_MS at most; False if the day has none of its own."""
        name = name_partition(day)
        if await _list_missing(connection, [name]):
            return False
        await connection.execute(text(f"SET LOCAL lock_timeout = '{RETENTION_LOCK_MS}ms'"))
        await connection.execute(text(f"ALTER TABLE usage_record DETACH PARTITION {name}"))
        await connection.execute(text(f"DROP TABLE {name}"))
        await connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'"))
        return True

    async def await_posting(self, connection: AsyncConnection) -> None:
        """Take a lock that who inserts records holds against, and let it go with the transaction.

        Of the table itself only: whatever goes into a partition goes through it.
        """
        await connection.execute(text("LOCK TABLE ONLY usage_record IN SHARE MODE"))

    async def join_posting(self, connection: AsyncConnection) -> None:
        """Take the lock that who inserts records holds."""
        await connection.execute(text("LOCK TABLE ONLY usage_record IN ROW EXCLUSIVE MODE"))

    def match_any(self, column: AnyColumn, values: Sequence[object]) -> ColumnElement[bool]:
        """Return the condition with one array for all values, so that the statement is the same for any number."""
        return column == any_(bindparam(None, values, type_=ARRAY(column.type)))

    async def copy_columns(
        self, connection: AsyncConnection, table: Table, columns: Mapping[str, Sequence[object]]
    ) -> None:
        """Insert the rows with COPY, in its binary format."""
        bound = bind_columns(connection.dialect, table, columns)
        driver = (await connection.get_raw_connection()).driver_connection
        assert isinstance(driver, asyncpg.Connection)
        await driver.copy_records_to_table(table.name, records=bound, columns=list(columns))

    async def check_migrated(self, connection: AsyncConnection) -> None:
        """Do nothing: PostgreSQL has held its constraints throughout."""

    async def close(self) -> None:
        """Close all connections."""
        await self._writer.dispose()


def name_partition(day: date) -> str:
    """Return the name of a day's partition."""
    return f"usage_record_{day:%Y%m%d}"


async def _list_missing(connection: AsyncConnection, names: Iterable[str]) -> list[str]:
    # Read as rows: to_regclass remembers within a transaction that a name was not there.
    statement = text(
        "SELECT own.relname FROM pg_inherits JOIN pg_class own ON own.oid = inhrelid "
        "WHERE inhparent = CAST('usage_record' AS regclass) AND own.relname = ANY(:names)"
    )
    wanted = sorted(names)
    present = set(await connection.scalars(statement, {"names": wanted}))
    return [name for name in wanted if name not in present]


async def _lock_pair(connection: AsyncConnection, pair: tuple[int, int]) -> None:
    statement = text("SELECT pg_advisory_xact_lock(CAST(:space AS integer), CAST(:number AS integer))")
    await connection.execute(statement, {"space": pair[0], "number": pair[1]})


def _create_engine(url: str, **options: object) -> AsyncEngine:
    engine = create_async_engine(url, hide_parameters=True, **options)
    event.listen(engine.sync_engine, "connect", _prepare_connection)
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return engine


def _prepare_connection(connection: AsyncAdapt_asyncpg_connection, _record: ConnectionPoolEntry) -> None:
    """Let amounts cross as the whole numbers that they are."""
    connection.run_async(
        lambda driver: driver.set_type_codec(
            "numeric", schema="pg_catalog", encoder=encode_numeric, decoder=decode_numeric, format="binary"
        )
    )


def _refuse_closed(_connection: DBAPIConnection, entry: ConnectionPoolEntry, _lent: PoolProxiedConnection) -> None:
    """Have the pool connect anew where a connection ended while it was idle: then the server did, and all others with it."""
    driver = entry.driver_connection
    assert isinstance(driver, asyncpg.Connection)
    if driver.is_closed():
        raise InvalidatePoolError


def _build_arguments(statement_timeout_s: int, lock_timeout_s: int) -> dict[str, object]:
    return {
        "timeout": CONNECT_TIMEOUT_S,
        "command_timeout": statement_timeout_s + CLIENT_MARGIN_S,
        "server_settings": {
            "application_name": "keisan",
            "statement_timeout": f"{statement_timeout_s}s",
            "lock_timeout": f"{lock_timeout_s}s",
            "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_TIMEOUT_S}s",
            # Compiling a plan costs more than the short statements here.
            "jit": "off",
        },
    }


def _translate_code(code: str, cause: str) -> KeisanError:
    if code == UNIQUE_VIOLATION:
        return AlreadyExists("a unique name or id is taken", cause)
    if code == FOREIGN_KEY_VIOLATION:
        return StateConflict("something named here does not exist, or something still depends on it", cause)
    if code in CONFLICT_CODES:
        return TransactionConflict("the database ended this for the sake of another write", f"{code} {cause}")
    if code[:2] in UNAVAILABLE_CLASSES or code in UNAVAILABLE_CODES:
        return StorageUnavailable("the database cannot be reached or is busy", f"{code} {cause}")
    return InvariantBroken("the database refused what must never be", f"{code} {cause}")
