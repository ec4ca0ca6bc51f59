"""Records of a database from which nothing was deleted; what is read from an archive is tried in contracts/control."""

import pytest

from keisan.domain.access import PlatformScope
from keisan.domain.errors import InvariantBroken, NotFound
from keisan.domain.ids import RecordId
from keisan.domain.retention import RetentionMark
from keisan.kit.ids import create_id
from keisan.ledger.record_source import open_records
from keisan.storage.database import Database
from tests.domain.samples import create_record_id
from tests.factories import NOW, plant_world


async def test_without_retention_no_archive_is_needed(storage: Database) -> None:
    world = await plant_world(storage)
    async with storage.read() as view:
        source = await open_records(view, None)
        assert await source.get(PlatformScope(), world.left.record.id) == await view.usage.get(
            PlatformScope(), world.left.record.id
        )
        assert await source.count() == await view.usage.count(PlatformScope())
        with pytest.raises(InvariantBroken):
            source.get_archive()
        for unknown in (RecordId(create_id()), RecordId(create_record_id(NOW))):
            with pytest.raises(NotFound):
                await source.get(PlatformScope(), unknown)


async def test_day_without_files_has_no_records(storage: Database) -> None:
    world = await plant_world(storage)
    async with storage.write() as transaction:
        await transaction.retention.put_mark(RetentionMark(archived_through=NOW.date(), archived_at=NOW))
    async with storage.read() as view:
        source = await open_records(view, None)
        with pytest.raises(NotFound):
            await source.get(PlatformScope(), world.left.record.id)
        assert await source.count() == 0
        assert await source.list_unsealed() == []
