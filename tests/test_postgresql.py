"""The server for tests: it answers, each test has a database of its own, and it does not run as root."""

from pathlib import Path

import asyncpg
import pytest

from tests.postgresql import SUPERUSER, PostgresqlServer


async def fetch(url: str, query: str) -> object:
    host = url.partition("host=")[2]
    database = url.partition("@/")[2].partition("?")[0]
    connection = await asyncpg.connect(host=host, user=SUPERUSER, database=database, timeout=10)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


@pytest.mark.parametrize("turn", [1, 2])
async def test_each_test_has_an_empty_database(postgresql_url: str, turn: int) -> None:
    assert await fetch(postgresql_url, "select count(*) from pg_tables where schemaname = 'public'") == 0
    await fetch(postgresql_url, "create table left_behind (id int)")


async def test_server_is_not_root(postgresql_server: PostgresqlServer) -> None:
    process_id = int((postgresql_server.socket_folder / "data" / "postmaster.pid").read_text().split()[0])
    owner = Path(f"/proc/{process_id}").stat().st_uid
    assert owner != 0
