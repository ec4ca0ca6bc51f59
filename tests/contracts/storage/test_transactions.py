"""Whole or not at all: commits, rollbacks, views, guards and writers side by side, on both databases."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from keisan.domain.access import PlatformScope
from keisan.domain.account import AccountKey, AccountKind, Posting
from keisan.domain.errors import (
    AlreadyExists,
    InvariantBroken,
    LeaseLost,
    NotFound,
    StateConflict,
    StorageUnavailable,
    VersionMismatch,
)
from keisan.domain.event import EventDraft
from keisan.domain.ids import AccountId, EntryId, JoinTokenId, MachineId, OrganizationId, QuarantineId, TicketId
from keisan.domain.incarnation import Incarnation
from keisan.domain.lease import Lease, WorkNoun
from keisan.domain.page import PageRequest
from keisan.domain.retention import RetentionKind, RetentionMark
from keisan.domain.share import Share
from keisan.domain.snapshot import SnapshotTable
from keisan.kit.ids import create_id
from keisan.storage.base import StoredAnswer, Transaction
from keisan.storage.database import Database
from tests.contracts.storage.nouns import FIXED, NOUNS, NounCase
from tests.domain.samples import build_posted, build_record, build_ticket
from tests.factories import (
    NOW,
    PLATFORM_ID,
    create_join_token,
    create_organization,
    create_platform,
    create_project,
    plant_world,
)

EVERYTHING = PlatformScope()
WRITERS = 8


class DeliberateError(Exception):
    """Ends a block."""


async def test_what_waits_for_the_commit_is_called_once_after_it(
    storage: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []
    commit = storage._commit

    async def commit_seen(connection: AsyncConnection) -> None:
        await commit(connection)
        called.append("committed")

    monkeypatch.setattr(storage, "_commit", commit_seen)
    async with storage.write() as transaction:
        transaction.call_after_commit(lambda: called.append("told"))
    async with storage.write():
        pass
    assert called == ["committed", "told", "committed"]


async def test_nobody_is_told_of_what_was_not_committed(storage: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []

    async def refuse(_: AsyncConnection) -> None:
        raise StorageUnavailable("the disk is full")

    async def write(fault: Exception | None) -> None:
        async with storage.write() as transaction:
            transaction.call_after_commit(lambda: called.append("told"))
            if fault is not None:
                raise fault

    with pytest.raises(DeliberateError):
        await write(DeliberateError())
    monkeypatch.setattr(storage, "_commit", refuse)
    with pytest.raises(StorageUnavailable):
        await write(None)
    assert not called


async def test_block_that_raises_leaves_nothing(storage: Database) -> None:
    world = await plant_world(storage)
    organization = create_organization()

    async def fail() -> None:
        async with storage.write() as transaction:
            await transaction.organizations.insert(organization)
            await transaction.events.append(EventDraft("control", "organization.created", organization.id, {}))
            await transaction.snapshot.touch(SnapshotTable.KEYS, [world.left.key.id])
            await transaction.outbox.put(WorkNoun.SITE, world.left.site.id, NOW)
            await transaction.accounts.post([build_posting(world.left.wallet_id, world.left.payable_id)])
            raise DeliberateError

    with pytest.raises(DeliberateError):
        await fail()
    async with storage.write() as transaction:
        with pytest.raises(NotFound):
            await transaction.organizations.get(EVERYTHING, organization.id)
        assert await transaction.events.get_last_sequence(EVERYTHING) == 0
        assert (await transaction.snapshot.get_mark()).version == 0
        assert await transaction.accounts.list_postings(EVERYTHING, world.left.wallet_id, PageRequest()) == []
        assert (await transaction.accounts.get(EVERYTHING, world.left.wallet_id)).balance_nano == 0
        assert not await transaction.outbox.take(NOW, LIFE, 10)


async def test_cancelled_block_leaves_nothing_and_the_next_goes_on(storage: Database) -> None:
    organization, inside = create_organization(), asyncio.Event()

    async def write_and_hang() -> None:
        async with storage.write() as transaction:
            await transaction.organizations.insert(organization)
            inside.set()
            await asyncio.Event().wait()

    async with asyncio.TaskGroup() as group:
        hanging = group.create_task(write_and_hang())
        await inside.wait()
        hanging.cancel()
    async with storage.write() as transaction:
        await transaction.organizations.insert(organization)
    async with storage.read() as view:
        assert await view.organizations.get(EVERYTHING, organization.id) == organization


async def test_view_does_not_see_what_is_written_meanwhile(storage: Database) -> None:
    organization = create_organization()
    async with storage.read() as view:
        before = await view.organizations.list(EVERYTHING, PageRequest())
        async with storage.write() as transaction:
            await transaction.organizations.insert(organization)
        assert await view.organizations.list(EVERYTHING, PageRequest()) == before
    async with storage.read() as view:
        assert (await view.organizations.list(EVERYTHING, PageRequest())).items == (organization,)


async def test_writer_reads_what_it_wrote_and_nobody_else_does(storage: Database) -> None:
    organization = create_organization()
    async with storage.write() as transaction:
        await transaction.organizations.insert(organization)
        assert await transaction.organizations.get(EVERYTHING, organization.id) == organization
        async with storage.read() as view:
            with pytest.raises(NotFound):
                await view.organizations.get(EVERYTHING, organization.id)


async def test_lost_update_is_impossible(storage: Database) -> None:
    """Every writer reads, then writes one version on; each version is written once and no change is lost."""
    organization = create_organization("0")
    async with storage.write() as transaction:
        await transaction.organizations.insert(organization)

    async def add_one() -> None:
        while True:
            async with storage.read() as view:
                seen = await view.organizations.get(EVERYTHING, organization.id)
            try:
                async with storage.write() as transaction:
                    changed = replace(seen, name=str(int(seen.name) + 1), version=seen.version + 1)
                    await transaction.organizations.update(changed)
                return
            except VersionMismatch:
                continue

    async with asyncio.TaskGroup() as group:
        for _ in range(WRITERS):
            group.create_task(add_one())
    async with storage.read() as view:
        final = await view.organizations.get(EVERYTHING, organization.id)
    assert (final.name, final.version) == (str(WRITERS), WRITERS + 1)


async def test_one_of_many_takes_a_name(storage: Database) -> None:
    async def try_insert() -> bool:
        try:
            async with storage.write() as transaction:
                await transaction.organizations.insert(create_organization("wanted"))
        except AlreadyExists:
            return False
        return True

    async with asyncio.TaskGroup() as group:
        tries = [group.create_task(try_insert()) for _ in range(WRITERS)]
    assert sorted(attempt.result() for attempt in tries) == [False] * (WRITERS - 1) + [True]


async def test_block_ends_with_the_first_refused_statement(storage: Database) -> None:
    world = await plant_world(storage)
    orphan = replace(create_project(world.left.organization, "orphan"), organization_id=OrganizationId(create_id()))
    kept = create_organization()

    async def fail_last() -> None:
        async with storage.write() as transaction:
            await transaction.organizations.insert(kept)
            with pytest.raises(StateConflict):
                await transaction.projects.insert(orphan)

    async def fail_first() -> None:
        async with storage.write() as transaction:
            with pytest.raises(StateConflict):
                await transaction.projects.insert(orphan)
            await transaction.organizations.insert(kept)

    for fail in (fail_last, fail_first):
        with pytest.raises(InvariantBroken):
            await fail()
    async with storage.read() as view:
        with pytest.raises(NotFound):
            await view.organizations.get(EVERYTHING, kept.id)


LIFE = NOW - NOW.replace(hour=11)


def build_posting(debit: object, credit: object, amount_nano: int = 7) -> Posting:
    return Posting(EntryId(create_id()), debit, credit, "CNY", amount_nano, 1, NOW)  # type: ignore[arg-type]  # either id


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in (*NOUNS, *FIXED)])
async def test_view_refuses_inserts(storage: Database, case: NounCase) -> None:
    world = await plant_world(storage)
    async with storage.read() as view:
        with pytest.raises(InvariantBroken):
            await case.choose(view).insert(case.create(world))


LEASE = Lease(WorkNoun.SITE, create_id(), 1, create_id(), 1, NOW)
ANSWER = StoredAnswer("d", 201, "{}", None)
SHARE = Share("key:a:requests", MachineId(create_id()), PLATFORM_ID, 1, 1)
INCARNATION = Incarnation(MachineId(create_id()), PLATFORM_ID, create_id(), 1, 0, NOW)
RECORD = build_record()
WRITES: dict[str, Callable[[Transaction], Awaitable[object]]] = {
    "update": lambda view: view.organizations.update(create_organization()),
    "acknowledge": lambda view: view.machines.acknowledge(MachineId(create_id()), 1, NOW),
    "insert token": lambda view: view.join_tokens.insert(create_join_token()),
    "use token": lambda view: view.join_tokens.use(JoinTokenId(create_id()), MachineId(create_id())),
    "mark reported": lambda view: view.sites.mark_reported(create_id(), NOW),  # type: ignore[arg-type]  # any id
    "log tail": lambda view: view.replicas.set_log_tail(create_id(), "x"),  # type: ignore[arg-type]  # any id
    "open": lambda view: view.accounts.open([AccountKey(AccountKind.SUSPENSE, None, None, "CNY")]),
    "post": lambda view: view.accounts.post([build_posting(create_id(), create_id())]),
    "lock accounts": lambda view: view.accounts.lock([AccountId(create_id())]),
    "update platform": lambda view: view.platform.update(create_platform()),
    "lock top-up": lambda view: view.top_ups.lock(EVERYTHING, EntryId(create_id())),
    "lock tickets": lambda view: view.tickets.lock([TicketId(create_id())]),
    "lock open tickets": lambda view: view.tickets.lock_open(MachineId(create_id()), []),
    "update tickets": lambda view: view.tickets.update_many([build_ticket()]),
    "lock shares": lambda view: view.shares.lock(),
    "put shares": lambda view: view.shares.put_many([SHARE]),
    "delete shares": lambda view: view.shares.delete_many([SHARE]),
    "lock incarnation": lambda view: view.incarnations.lock(MachineId(create_id())),
    "put incarnation": lambda view: view.incarnations.put(INCARNATION),
    "suspend": lambda view: view.usage.suspend_many({RECORD.id: "spent_ticket"}, [build_posted(RECORD)], NOW),
    "lock suspended": lambda view: view.suspense.lock(EVERYTHING, RECORD.id),
    "lock quarantined": lambda view: view.quarantine.lock(EVERYTHING, QuarantineId(create_id())),
    "join posting": lambda view: view.retention.join_posting(),
    "quarantine_many": lambda view: view.usage.quarantine_many({b"x": "malformed"}, MachineId(create_id()), NOW),
    "event": lambda view: view.events.append(EventDraft("control", "a.b", None, {})),
    "touch": lambda view: view.snapshot.touch(SnapshotTable.KEYS, [create_id()]),
    "put": lambda view: view.outbox.put(WorkNoun.SITE, create_id(), NOW),
    "take": lambda view: view.outbox.take(NOW, LIFE, 1),
    "check": lambda view: view.outbox.check(LEASE, NOW),
    "finish": lambda view: view.outbox.finish(LEASE, None),
    "keep answer": lambda view: view.idempotency.insert(create_id(), "k", ANSWER, NOW),
    "retention mark": lambda view: view.retention.put_mark(RetentionMark()),
    "delete expired": lambda view: view.retention.delete_expired(RetentionKind.ANSWERS, NOW, 1),
}


@pytest.mark.parametrize("name", WRITES)
async def test_view_refuses_every_write(storage: Database, name: str) -> None:
    await plant_world(storage)
    async with storage.read() as view:
        with pytest.raises(InvariantBroken):
            await WRITES[name](view)


async def test_view_refuses_usage(storage: Database) -> None:
    world = await plant_world(storage)
    async with storage.read() as view:
        with pytest.raises(InvariantBroken):
            await view.usage.insert_many([build_posted(world.left.record._replace(id=create_id()))])  # type: ignore[arg-type]  # new id


async def test_closed_storage_opens_again(storage: Database) -> None:
    world = await plant_world(storage)
    await storage.close()
    async with storage.read() as view:
        assert await view.platform.get() == world.platform


async def test_lease_that_never_was_is_lost(storage: Database) -> None:
    for write in (WRITES["check"], WRITES["finish"]):
        with pytest.raises(LeaseLost):
            async with storage.write() as transaction:
                await write(transaction)


async def test_storage_without_schema_is_unavailable(empty_storage: Database) -> None:
    with pytest.raises(StorageUnavailable):
        async with empty_storage.read() as view:
            await view.platform.find()
    with pytest.raises(StorageUnavailable):
        await empty_storage.check()
    await empty_storage.migrate()
    await empty_storage.check()
