"""The journal: money moves with a signed entry or not at all, and entries make one chain."""

import asyncio
from itertools import pairwise

import pytest

from keisan.domain.access import OrganizationScope, PlatformScope
from keisan.domain.account import AccountKey, AccountKind, Transfer
from keisan.domain.entry import FIRST_ENTRY_HASH, Entry, EntryKind, digest_postings, hash_header, read_header
from keisan.domain.errors import InvariantBroken, NotFound
from keisan.domain.merkle import EMPTY_ROOT, compute_root, hash_leaf
from keisan.domain.page import PageRequest
from keisan.kit.signature import is_signed_by
from keisan.ledger.journal import EntryDraft
from keisan.storage.database import Database
from tests.factories import NOW, PUBLIC_KEY, FixedClock, World, build_journal, plant_world

EVERYTHING = PlatformScope()
OUTSIDE = AccountKey(AccountKind.OUTSIDE, None, None, "CNY")


def draft_top_up(world: World, amount_nano: int = 5) -> EntryDraft:
    wallet = AccountKey(AccountKind.WALLET, world.left.organization.id, None, "CNY")
    transfers = [Transfer(OUTSIDE, wallet, amount_nano)]
    return EntryDraft(EntryKind.TOP_UP, transfers, world.left.organization.id, [hash_leaf(b"one"), hash_leaf(b"two")])


async def write(storage: Database, world: World, draft: EntryDraft) -> Entry:
    journal = build_journal(world.platform.id, FixedClock())
    async with storage.write() as transaction:
        return await journal.write_entry(transaction, draft)


async def test_entry_seals_what_moved(storage: Database) -> None:
    world = await plant_world(storage)
    draft = draft_top_up(world)
    entry = await write(storage, world, draft)
    async with storage.read() as view:
        postings = await view.accounts.list_postings(EVERYTHING, world.left.wallet_id, PageRequest())
        assert await view.entries.get(EVERYTHING, entry.id) == entry
        assert (await view.accounts.get(EVERYTHING, world.left.wallet_id)).balance_nano == 5
    seal = read_header(entry.header)
    assert is_signed_by(PUBLIC_KEY, entry.header, entry.signature)
    assert (seal.kind, seal.noun_id, seal.platform_id) == (draft.kind, draft.noun_id, world.platform.id)
    assert (seal.record_count, seal.records_root) == (2, compute_root(draft.leaf_hashes).hex())
    assert seal.postings_digest == digest_postings(postings)
    assert {posting.entry_id for posting in postings} == {entry.id} == {seal.entry_id}
    assert entry.created_at == NOW
    assert entry.hash == hash_header(entry.header)


async def test_entry_without_records_has_the_root_of_nothing(storage: Database) -> None:
    world = await plant_world(storage)
    entry = await write(storage, world, EntryDraft(EntryKind.TOP_UP, draft_top_up(world).transfers))
    assert read_header(entry.header).records_root == EMPTY_ROOT.hex()


async def test_entries_that_race_make_one_chain(storage: Database) -> None:
    world = await plant_world(storage)
    async with asyncio.TaskGroup() as group:
        for amount_nano in range(1, 9):
            group.create_task(write(storage, world, draft_top_up(world, amount_nano)))
    async with storage.read() as view:
        entries = await view.entries.list(EVERYTHING, 0, 100)
        later = await view.entries.list(EVERYTHING, 6, 100)
        assert await view.entries.list(OrganizationScope(world.left.organization.id), 0, 100) == []
    assert [entry.sequence for entry in entries] == list(range(1, 9))
    seals = [read_header(entry.header) for entry in entries]
    assert [seal.sequence for seal in seals] == list(range(1, 9))
    assert seals[0].previous_hash == FIRST_ENTRY_HASH
    assert all(after.previous_hash == before.hash for before, after in zip(entries, seals[1:], strict=False))
    assert all(before.hash != after.hash for before, after in pairwise(entries))
    assert later == entries[6:]


async def test_what_fails_leaves_the_chain_as_it_was(storage: Database) -> None:
    world = await plant_world(storage)
    journal = build_journal(world.platform.id, FixedClock())
    first = await write(storage, world, draft_top_up(world))

    async def fail() -> None:
        async with storage.write() as transaction:
            await journal.write_entry(transaction, draft_top_up(world))
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    with pytest.raises(InvariantBroken):
        await write(storage, world, draft_top_up(world, 0))
    assert read_header((await write(storage, world, draft_top_up(world))).header).previous_hash == first.hash


async def test_entry_out_of_order_is_refused(storage: Database) -> None:
    world = await plant_world(storage)
    entry = await write(storage, world, draft_top_up(world))
    async with storage.write() as transaction:
        with pytest.raises(InvariantBroken, match="in order"):
            await transaction.entries.append(entry)


async def test_entry_of_an_organization_is_the_platforms_alone(storage: Database) -> None:
    world = await plant_world(storage)
    entry = await write(storage, world, draft_top_up(world))
    async with storage.read() as view:
        with pytest.raises(NotFound):
            await view.entries.get(OrganizationScope(world.left.organization.id), entry.id)
