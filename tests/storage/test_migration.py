"""Migrations: up and down on both databases, one at a time, and equal to the tables that the code names."""

import asyncio
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, Connection, ForeignKeyConstraint, UniqueConstraint, inspect, text

from keisan.domain.access import PlatformScope
from keisan.domain.account import AccountKey, AccountKind
from keisan.domain.call_limits import CallLimits
from keisan.domain.device import DeviceUse
from keisan.domain.errors import InvariantBroken, StorageUnavailable
from keisan.domain.lease import WorkNoun
from keisan.domain.organization import Billing
from keisan.domain.page import PageRequest
from keisan.domain.suspense import SuspenseState
from keisan.storage import migration
from keisan.storage.database import Database
from keisan.storage.migration import name_newest_revision
from keisan.storage.migration_run import list_revisions
from keisan.storage.schema import metadata
from tests.domain.samples import build_posted, change_record, create_record_id
from tests.factories import NOW, create_price, plant_world
from tests.storage.rows import execute, fetch_value

CONSTRAINT_NAME_CHARACTERS_MAX = 63
PARTITIONS = "usage_record_"
EVERYTHING = PlatformScope()


async def inspect_names(storage: Database) -> set[str]:
    async with storage._dialect.open_reader() as connection:
        return set(await connection.run_sync(lambda own: inspect(own).get_table_names()))


async def test_up_down_and_up_again(empty_storage: Database) -> None:
    await empty_storage.migrate()
    await plant_world(empty_storage)
    assert set(metadata.tables) <= await inspect_names(empty_storage)
    await empty_storage.downgrade("base")
    assert await inspect_names(empty_storage) == {"alembic_version"}
    with pytest.raises(StorageUnavailable):
        await empty_storage.check()
    await empty_storage.migrate()
    await empty_storage.check()
    await plant_world(empty_storage)


async def test_what_waited_before_there_were_judgements_can_be_judged(storage: Database) -> None:
    world = await plant_world(storage)
    known = build_posted(change_record(world.left.record, id=create_record_id(NOW)), currency="JPY", entry_id=None)
    gone = build_posted(change_record(world.left.record, id=create_record_id(NOW)), currency="JPY", entry_id=None)
    async with storage.write() as transaction:
        await transaction.accounts.open([AccountKey(AccountKind.SUSPENSE, None, None, "EUR")])
        await transaction.usage.insert_many([known])
        await transaction.usage.suspend_many({known.record.id: "late", gone.record.id: "late"}, [known, gone], NOW)
        await transaction.usage.quarantine_many({b"one": "malformed", b"two": "differs"}, world.gateway.id, NOW)
    async with storage.read() as view:
        before = (await view.quarantine.list(EVERYTHING, PageRequest())).items
    await storage.downgrade("0012")
    await storage.migrate()
    async with storage.read() as view:
        suspended = (await view.suspense.list(EVERYTHING, PageRequest(), SuspenseState.SUSPENDED)).items
        assert (await view.quarantine.list(EVERYTHING, PageRequest())).items == before
    # Of a record that left the database suspense's own account tells the currency.
    assert {each.record_id: each.currency for each in suspended} == {known.record.id: "JPY", gone.record.id: "EUR"}


async def test_devices_that_were_there_before_any_could_be_closed_are_open(storage: Database) -> None:
    world = await plant_world(storage)
    await storage.downgrade("0017")
    await storage.migrate()
    async with storage.read() as view:
        found = await view.devices.get(EVERYTHING, world.left.device.id)
        replica = await view.replicas.get(EVERYTHING, world.left.replica.id)
    assert found == replace(world.left.device, facts={}, use=DeviceUse.OPEN, use_changed_at=None)
    assert replica == replace(world.left.replica, device_id=None)


async def test_down_to_where_it_is_does_nothing(storage: Database) -> None:
    await plant_world(storage)
    await storage.downgrade(name_newest_revision())
    await storage.check()


async def test_again_does_nothing(empty_storage: Database) -> None:
    await empty_storage.migrate()
    world = await plant_world(empty_storage)
    await empty_storage.migrate()
    async with empty_storage.read() as view:
        assert await view.platform.get() == world.platform


async def test_processes_that_start_together_migrate_once(empty_storage: Database) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(empty_storage.migrate())
    await empty_storage.check()


async def test_schema_of_a_newer_release_is_refused(empty_storage: Database) -> None:
    await empty_storage.migrate()
    await execute(empty_storage, text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StorageUnavailable):
        await empty_storage.check()
    with pytest.raises(StorageUnavailable, match="newer"):
        await empty_storage.migrate()
    with pytest.raises(StorageUnavailable, match="newer"):
        await empty_storage.downgrade("base")


async def test_failed_migration_leaves_nothing(empty_storage: Database) -> None:
    def change(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE half (id INTEGER)"))
        raise InvariantBroken("half done")

    with pytest.raises(InvariantBroken, match="half done"):
        await empty_storage.change_schema(change)
    assert await inspect_names(empty_storage) == set()


def is_compared(name: str | None, kind: str, _parents: object) -> bool:
    return not (kind == "table" and (name or "").startswith((PARTITIONS, "alembic_version")))


def list_differences(connection: Connection) -> list[object]:
    options = {"compare_type": True, "compare_server_default": True, "include_name": is_compared}
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, metadata))


async def test_tables_are_as_the_code_names_them(storage: Database) -> None:
    async with storage._dialect.open_reader() as connection:
        assert await connection.run_sync(list_differences) == []


async def test_difference_would_be_found(empty_storage: Database) -> None:
    await empty_storage.migrate()
    await execute(empty_storage, text("ALTER TABLE node ADD COLUMN extra TEXT"), text("DROP INDEX ix_outbox_due_at"))
    async with empty_storage._dialect.open_reader() as connection:
        assert len(await connection.run_sync(list_differences)) == 2


def list_constraint_names(connection: Connection) -> set[str | None]:
    inspector = inspect(connection)
    names: set[str | None] = set()
    for table in metadata.tables:
        names |= {inspector.get_pk_constraint(table)["name"]}
        names |= {each["name"] for each in inspector.get_unique_constraints(table)}
        names |= {each["name"] for each in inspector.get_foreign_keys(table)}
        names |= {each["name"] for each in inspector.get_check_constraints(table)}
        names |= {each["name"] for each in inspector.get_indexes(table)}
    return names


async def test_every_constraint_has_the_name_of_the_convention(storage: Database) -> None:
    async with storage._dialect.open_reader() as connection:
        stored = await connection.run_sync(list_constraint_names)
    expected = set()
    for table in metadata.tables.values():
        kept = (UniqueConstraint, ForeignKeyConstraint, CheckConstraint)
        expected |= {str(each.name) for each in table.constraints if isinstance(each, kept)}
        expected |= {f"pk_{table.name}"} | {str(index.name) for index in table.indexes}
    assert None not in stored
    assert {name for name in expected if not name.startswith("ck_")} <= stored
    assert all(name and len(name) <= CONSTRAINT_NAME_CHARACTERS_MAX for name in stored)
    assert all(str(name).split("_")[0] in {"pk", "uq", "ix", "fk", "ck"} for name in stored)


def test_newest_revision_is_that_of_the_last_file() -> None:
    assert list_revisions()[-1].revision == name_newest_revision()
    assert (migration.MIGRATIONS / "versions" / "0001_first_schema.py").is_file()


CURRENT = """
import asyncio, sys
from pathlib import Path
from keisan.kit.clock import SystemClock
from keisan.storage.sqlite import open_sqlite
async def main():
    storage = open_sqlite(Path(sys.argv[1]), SystemClock())
    await storage.migrate()
    await storage.check()
    await storage.close()
asyncio.run(main())
print("alembic" in sys.modules)
"""


def test_alembic_is_loaded_only_for_a_database_that_is_not_current(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CURRENT, str(tmp_path / "keisan.db")]
    said = [subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout for _ in range(2)]
    assert said == ["True\n", "False\n"]


async def test_limits_come_to_rows_that_were_there_before_them(empty_storage: Database) -> None:
    await empty_storage.migrate()
    world = await plant_world(empty_storage)
    narrow = replace(world.left.project, limits=CallLimits(1), policy="region in CN", version=2)
    async with empty_storage.write() as transaction:
        await transaction.projects.update(narrow)
    await empty_storage.downgrade("0001")
    async with empty_storage._dialect.open_reader() as connection:
        columns = await connection.run_sync(lambda own: inspect(own).get_columns("organization"))
    assert {column["name"] for column in columns} == {"id", "platform_id", "version", "created_at", "name"}
    await empty_storage.migrate()
    async with empty_storage.read() as view:
        found = await view.organizations.get(EVERYTHING, world.left.organization.id)
        assert found == replace(world.left.organization, billing=Billing.POSTPAID)
        assert await view.keys.get(EVERYTHING, world.left.key.id) == world.left.key
        assert await view.projects.get(EVERYTHING, narrow.id) == replace(narrow, limits=CallLimits(), policy="")


async def test_records_pass_through_the_revision_that_gave_them_contexts(empty_storage: Database) -> None:
    await empty_storage.migrate()
    world = await plant_world(empty_storage)
    async with empty_storage.write() as transaction:
        record = world.right.record
        cut = change_record(record, id=create_record_id(), first_byte_us=None, quantities={}, amount_nano=10**30)
        await transaction.usage.insert_many([build_posted(cut, entry_id=None, chip=world.right.replica.chip)])
    kept = [world.left.record, world.right.record, cut]
    await empty_storage.downgrade("0004")
    told = text(
        "SELECT count(*) FROM usage_record JOIN key ON key.id = usage_record.key_id WHERE amount_nano IS NOT NULL"
    )
    assert await fetch_value(empty_storage, told) == len(kept)
    await empty_storage.migrate()
    async with empty_storage.read() as view:
        found = [await view.usage.get(EVERYTHING, each.id) for each in kept]
    assert [each.record for each in found] == kept
    assert {(each.charge.currency, each.charge.chip) for each in found} == {("CNY", world.left.replica.chip)}
    assert [each.charge.provider_nano for each in found] == [each.amount_nano for each in kept]
    with pytest.raises(InvariantBroken, match="append-only"):
        await execute(empty_storage, text("DELETE FROM usage_record"))


async def test_prices_that_were_there_hold_since_they_were_made(empty_storage: Database) -> None:
    await empty_storage.migrate()
    world = await plant_world(empty_storage)
    planned = replace(create_price(world.model, 2), effective_from=NOW + timedelta(days=9))
    async with empty_storage.write() as transaction:
        await transaction.prices.insert(planned)
        await transaction.outbox.put(WorkNoun.PRICE, planned.id, planned.effective_from)
        await transaction.outbox.put(WorkNoun.SITE, world.left.site.id, NOW)
    await empty_storage.downgrade("0004")
    assert not {"offer", "deduction"} & await inspect_names(empty_storage)
    async with empty_storage._dialect.open_reader() as connection:
        nouns = (await connection.execute(text("SELECT noun FROM outbox UNION ALL SELECT noun FROM lease"))).scalars()
        assert sorted(nouns) == ["site", "site"]
    await empty_storage.migrate()
    async with empty_storage.read() as view:
        assert await view.prices.get(EVERYTHING, planned.id) == replace(planned, effective_from=planned.created_at)
