"""PostgreSQL as it is run in earnest, with fsync, for one bench."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from stage.cache import tell
from tests.postgresql import PostgresqlServer, find_programs, run_server

SERVER_OPTIONS = ("listen_addresses=", "max_connections=50", "shared_buffers=512MB", "max_wal_size=4GB")


@asynccontextmanager
async def open_server() -> AsyncIterator[PostgresqlServer | None]:
    """Start PostgreSQL as it is run in earnest, with fsync; None where it is not installed."""
    programs = find_programs()
    if programs is None:
        tell("bench: PostgreSQL is not installed; its figures are left out")
        yield None
        return
    with run_server(programs, SERVER_OPTIONS) as server:
        server.create_database("books")
        yield server
