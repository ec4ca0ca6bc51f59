"""A statement goes to SQLite's thread once, and what it found and changed is told as the driver would."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from keisan.domain.access import PlatformScope
from keisan.domain.event import EventDraft
from keisan.storage.database import Database
from keisan.storage.sqlite_connection import create_connection
from tests.factories import plant_world

# A database that nobody closes: its thread must not hold up the end.
LEAVE = (
    "import asyncio, sys; from pathlib import Path; from keisan.storage.sqlite_connection import create_connection\n"
    "async def leave():\n"
    "    kept.append(await create_connection(Path(sys.argv[1])))\n"
    "kept = []; asyncio.run(leave()); print('left', flush=True)"
)
MANY = 100


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[AsyncConnection]:
    path = tmp_path / "keisan.db"
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=str(path)), async_creator=lambda: create_connection(path)
    )
    try:
        async with engine.begin() as connection:
            await connection.execute(text("CREATE TABLE noun (id INTEGER PRIMARY KEY, name TEXT UNIQUE)"))
            yield connection
    finally:
        await engine.dispose()


async def count_turns(run: Callable[[], Awaitable[object]], monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how often threads answered this loop meanwhile."""
    turns: list[object] = []
    loop = asyncio.get_running_loop()
    answer = loop.call_soon_threadsafe

    def count(*given: Any, **named: Any) -> object:
        turns.append(given)
        return answer(*given, **named)

    with monkeypatch.context() as watching:
        watching.setattr(loop, "call_soon_threadsafe", count)
        await run()
    return len(turns)


async def test_statement_takes_one_turn_of_the_thread(
    connection: AsyncConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert, select = text("INSERT INTO noun (name) VALUES (:name)"), text("SELECT * FROM noun")
    rows = [{"name": f"{number}"} for number in range(MANY)]
    assert await count_turns(lambda: connection.execute(insert, rows), monkeypatch) == 1
    assert await count_turns(lambda: connection.execute(insert, {"name": "one more"}), monkeypatch) == 1
    assert await count_turns(lambda: connection.execute(select), monkeypatch) == 1
    assert len((await connection.execute(select)).all()) == MANY + 1


async def test_changed_rows_are_counted(connection: AsyncConnection) -> None:
    rows = [{"name": f"{number}"} for number in range(MANY)]
    assert (await connection.execute(text("INSERT INTO noun (name) VALUES (:name)"), rows)).rowcount == MANY
    assert (await connection.execute(text("UPDATE noun SET name = name || '!' WHERE id <= 7"))).rowcount == 7
    assert (await connection.execute(text("DELETE FROM noun WHERE id > 1000"))).rowcount == 0


async def test_columns_are_named_even_without_rows(connection: AsyncConnection) -> None:
    found = await connection.execute(text("SELECT id, name AS title FROM noun"))
    assert (list(found.keys()), found.all()) == (["id", "title"], [])
    given = await connection.execute(text("INSERT INTO noun (name) VALUES ('x') RETURNING id, name"))
    assert [tuple(row) for row in given] == [(1, "x")]


async def test_refused_statement_leaves_the_next_ones_be(connection: AsyncConnection) -> None:
    await connection.execute(text("INSERT INTO noun (name) VALUES ('x')"))
    for _ in range(2):
        with pytest.raises(IntegrityError, match="UNIQUE"):
            await connection.execute(text("INSERT INTO noun (name) VALUES ('x')"))
    assert (await connection.execute(text("SELECT count(*) FROM noun"))).scalar_one() == 1


async def test_write_that_is_given_up_in_the_middle_of_a_statement_leaves_nothing(sqlite_storage: Database) -> None:
    async def write() -> None:
        async with sqlite_storage.write() as transaction:
            while True:
                await transaction.events.append(EventDraft("control", "organization.created", None, {}))
                written.set()

    written = asyncio.Event()
    await plant_world(sqlite_storage)
    async with sqlite_storage.read() as view:
        before = await view.events.get_last_sequence(PlatformScope())
    for steps in range(30):
        writing = asyncio.create_task(write())
        await written.wait()
        written.clear()
        for _ in range(steps):
            await asyncio.sleep(0)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
    async with sqlite_storage.write() as transaction:
        assert await transaction.events.get_last_sequence(PlatformScope()) == before
        await transaction.events.append(EventDraft("control", "organization.created", None, {}))
    async with sqlite_storage.read() as view:
        assert await view.events.get_last_sequence(PlatformScope()) == before + 1


def test_process_ends_though_nobody_closed_its_database(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LEAVE, str(tmp_path / "keisan.db")],
        check=False,
        timeout=30,
        stdout=subprocess.PIPE,
    )
    assert (ended.returncode, ended.stdout) == (0, b"left\n")
