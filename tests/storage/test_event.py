"""The audit log: one chain without gaps, however many append, and no line of it can be changed."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.domain.errors import InvariantBroken, NotFound
from keisan.domain.event import FIRST_EVENT_HASH, Event, EventDraft, hash_event
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from tests.factories import PLATFORM_ID, FixedClock, create_platform, plant_world
from tests.storage.rows import execute

EVERYTHING = PlatformScope()
DRAFT = EventDraft("control", "replica.ready", create_id(), {"reason": "健康", "b": "2", "a": "1"})


async def append(storage: Database, *drafts: EventDraft) -> list[Event]:
    async with storage.write() as transaction:
        return [await transaction.events.append(draft) for draft in drafts]


async def list_all(storage: Database) -> list[Event]:
    async with storage.read() as view:
        return list(await view.events.list(EVERYTHING, 0, 1000))


def assert_chained(events: list[Event]) -> None:
    previous_hash = FIRST_EVENT_HASH
    for sequence, event in enumerate(events, start=1):
        assert (event.sequence, event.previous_hash) == (sequence, previous_hash)
        assert event.hash == hash_event(event)
        previous_hash = event.hash


@pytest.fixture
async def log(storage: Database) -> Database:
    """Storage of a platform whose log is empty."""
    async with storage.write() as transaction:
        await transaction.platform.insert(create_platform())
    return storage


async def test_event_comes_back_as_it_was_chained(log: Database, clock: FixedClock) -> None:
    clock.instant += timedelta(microseconds=1)
    first, second = await append(log, DRAFT, replace(DRAFT, noun_id=None, detail={}))
    assert await list_all(log) == [first, second]
    assert_chained([first, second])
    assert (first.platform_id, first.created_at) == (PLATFORM_ID, clock.instant)
    async with log.read() as view:
        assert await view.events.list(EVERYTHING, 1, 10) == [second]
        assert await view.events.list(EVERYTHING, 0, 1) == [first]
        assert await view.events.get_last_sequence(EVERYTHING) == 2


async def test_chain_goes_on_over_writers_side_by_side(log: Database) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(append(log, DRAFT, DRAFT))
    events = await list_all(log)
    assert len(events) == 20
    assert_chained(events)


async def test_rollback_leaves_no_gap(log: Database) -> None:
    await append(log, DRAFT)

    async def fail() -> None:
        async with log.write() as transaction:
            await transaction.events.append(DRAFT)
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    await append(log, DRAFT)
    assert_chained(await list_all(log))


async def test_only_a_platform_sees_its_log(log: Database) -> None:
    await append(log, DRAFT)
    async with log.read() as view:
        for scope in (OrganizationScope(create_id()), ProviderScope(create_id())):  # type: ignore[arg-type]  # any id
            assert await view.events.list(scope, 0, 10) == []
            assert await view.events.get_last_sequence(scope) == 0


async def test_log_needs_its_platform(storage: Database) -> None:
    with pytest.raises(NotFound):
        await append(storage, DRAFT)


@pytest.mark.parametrize("statement", ["UPDATE event SET actor = 'nobody'", "DELETE FROM event"])
async def test_log_refuses_changes(storage: Database, statement: str) -> None:
    await plant_world(storage)
    await append(storage, DRAFT)
    with pytest.raises(InvariantBroken, match="append-only"):
        await execute(storage, text(statement))
    assert_chained(await list_all(storage))
