"""A writer killed between two statements leaves nothing half written, on both databases."""

import asyncio
import contextlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from keisan.domain.access import PlatformScope
from keisan.domain.event import EventDraft
from keisan.domain.ids import OrganizationId, PlatformId
from keisan.domain.organization import Organization
from keisan.domain.page import PageRequest
from keisan.domain.snapshot import SnapshotTable
from keisan.kit.clock import SystemClock
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from keisan.storage.postgresql import open_postgresql
from keisan.storage.sqlite import open_sqlite
from tests.databases import SharedPostgresql
from tests.domain.samples import build_organization
from tests.factories import plant_world

EVERYTHING = PlatformScope()
READY = "between statements"
WAIT_S = 60


def open_by_name(where: str) -> Database:
    return open_postgresql(where, SystemClock()) if "://" in where else open_sqlite(Path(where), SystemClock())


async def write_and_hang(where: str) -> None:
    """Write through all kinds of rows, tell the parent, and never commit."""
    storage = open_by_name(where)
    async with storage.write() as transaction:
        platform = await transaction.platform.get()
        await transaction.organizations.insert(build_half(platform.id))
        await transaction.events.append(EventDraft("control", "organization.created", None, {}))
        await transaction.snapshot.touch(SnapshotTable.KEYS, [create_id()])
        sys.stdout.write(READY + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


def build_half(platform_id: PlatformId) -> Organization:
    return build_organization(id=OrganizationId(create_id()), platform_id=platform_id, name="half")


async def kill_between_statements(where: str) -> None:
    command = [sys.executable, "-m", "tests.contracts.storage.test_crash", where]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    try:
        async with asyncio.timeout(WAIT_S):
            assert process.stdout is not None
            assert (await process.stdout.readline()).decode().strip() == READY
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        await asyncio.wait_for(process.wait(), WAIT_S)


async def assert_nothing_half(storage: Database) -> None:
    async with storage.write() as transaction:
        found = await transaction.organizations.list(EVERYTHING, PageRequest())
        assert [organization.name for organization in found.items if organization.name == "half"] == []
        assert await transaction.events.get_last_sequence(EVERYTHING) == 0
        assert (await transaction.snapshot.get_mark()).version == 0
        platform = await transaction.platform.get()
        await transaction.organizations.insert(build_half(platform.id))
        appended = await transaction.events.append(EventDraft("control", "organization.created", None, {}))
    assert appended.sequence == 1


async def test_killed_writer_of_sqlite(sqlite_storage: Database, tmp_path: Path) -> None:
    await plant_world(sqlite_storage)
    await kill_between_statements(str(tmp_path / "keisan.db"))
    await assert_nothing_half(sqlite_storage)


@pytest.mark.postgresql
async def test_killed_writer_of_postgresql(postgresql_storage: Database, shared_postgresql: SharedPostgresql) -> None:
    await plant_world(postgresql_storage)
    await kill_between_statements(shared_postgresql.url)
    await assert_nothing_half(postgresql_storage)


if __name__ == "__main__":
    asyncio.run(write_and_hang(sys.argv[1]))
