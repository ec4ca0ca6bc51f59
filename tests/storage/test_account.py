"""Accounts open once, balances move exactly, the journal only grows."""

import asyncio
from dataclasses import replace
from random import Random

import pytest
from sqlalchemy import text

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope, Scope
from keisan.domain.account import AccountKey, AccountKind, Posting
from keisan.domain.errors import InvalidInput, InvariantBroken, KeisanError, NotFound
from keisan.domain.ids import AccountId, EntryId, PlatformId
from keisan.domain.page import PageRequest
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from tests.domain.credit_samples import OTHER_ID
from tests.factories import NOW, PLATFORM_ID, create_platform, plant_world
from tests.storage.rows import execute

EVERYTHING = PlatformScope()
BIG = 10**37
SUSPENSE = AccountKey(AccountKind.SUSPENSE, None, None, "CNY")
REVENUE = AccountKey(AccountKind.PLATFORM_REVENUE, None, None, "CNY")


def build_posting(debit: AccountId, credit: AccountId, amount_nano: int = 7, currency: str = "CNY") -> Posting:
    return Posting(EntryId(create_id()), debit, credit, currency, amount_nano, 1, NOW)


async def open_two(storage: Database) -> tuple[AccountId, AccountId]:
    async with storage.write() as transaction:
        await transaction.platform.insert(create_platform())
        opened = await transaction.accounts.open([SUSPENSE, REVENUE])
    return opened[SUSPENSE], opened[REVENUE]


async def read_balance(storage: Database, account_id: AccountId) -> int:
    async with storage.read() as view:
        return (await view.accounts.get(EVERYTHING, account_id)).balance_nano


async def test_account_opens_once(storage: Database) -> None:
    suspense, revenue = await open_two(storage)
    other = replace(SUSPENSE, currency="JPY")
    async with storage.write() as transaction:
        again = await transaction.accounts.open([REVENUE, other, SUSPENSE])
        assert await transaction.accounts.open([]) == {}
        opened = await transaction.accounts.get(EVERYTHING, suspense)
    assert (again[SUSPENSE], again[REVENUE]) == (suspense, revenue)
    assert again[other] not in (suspense, revenue)
    assert (opened.platform_id, opened.kind, opened.balance_nano) == (PLATFORM_ID, AccountKind.SUSPENSE, 0)
    assert (opened.currency, opened.created_at) == ("CNY", NOW)


async def test_account_opens_once_for_many(storage: Database) -> None:
    async with storage.write() as transaction:
        await transaction.platform.insert(create_platform())

    async def open_both(keys: list[AccountKey]) -> AccountId:
        async with storage.write() as transaction:
            return (await transaction.accounts.open(keys))[SUSPENSE]

    async with asyncio.TaskGroup() as group:
        orders = [[SUSPENSE, REVENUE], [REVENUE, SUSPENSE]] * 4
        opened = [group.create_task(open_both(keys)) for keys in orders]
    assert len({task.result() for task in opened}) == 1


async def test_post_moves_both_balances(storage: Database) -> None:
    suspense, revenue = await open_two(storage)
    async with storage.write() as transaction:
        await transaction.accounts.post([])
        await transaction.accounts.post([build_posting(suspense, revenue, 5), build_posting(revenue, suspense, 2)])
    assert (await read_balance(storage, suspense), await read_balance(storage, revenue)) == (-3, 3)


async def test_balances_are_exact_far_beyond_a_double(storage: Database) -> None:
    suspense, revenue = await open_two(storage)
    async with storage.write() as transaction:
        for amount_nano in (BIG + 1, BIG + 2, 1):
            await transaction.accounts.post([build_posting(suspense, revenue, amount_nano)])
    assert await read_balance(storage, revenue) == 2 * BIG + 4
    assert await read_balance(storage, suspense) == -(2 * BIG + 4)
    async with storage.read() as view:
        assert await view.accounts.sum_balances(EVERYTHING) == {"CNY": 0}


async def test_balance_beyond_38_digits_is_refused(storage: Database) -> None:
    suspense, revenue = await open_two(storage)
    most = 10**38 - 1
    async with storage.write() as transaction:
        await transaction.accounts.post([build_posting(suspense, revenue, most)])
    with pytest.raises(InvalidInput):
        async with storage.write() as transaction:
            await transaction.accounts.post([build_posting(suspense, revenue, 1)])
    assert await read_balance(storage, revenue) == most


@pytest.mark.parametrize("amount_nano", [0, -1])
async def test_posting_moves_a_positive_amount(storage: Database, amount_nano: int) -> None:
    suspense, revenue = await open_two(storage)
    with pytest.raises(InvariantBroken):
        async with storage.write() as transaction:
            await transaction.accounts.post([build_posting(suspense, revenue, amount_nano)])


async def test_posting_stays_in_one_currency(storage: Database) -> None:
    suspense, revenue = await open_two(storage)
    with pytest.raises(InvariantBroken):
        async with storage.write() as transaction:
            await transaction.accounts.post([build_posting(suspense, revenue, currency="JPY")])


async def test_posting_needs_its_accounts(storage: Database) -> None:
    suspense, _ = await open_two(storage)
    with pytest.raises(NotFound):
        async with storage.write() as transaction:
            await transaction.accounts.post([build_posting(suspense, AccountId(create_id()))])


async def test_one_posting_per_batch_and_pair(storage: Database) -> None:
    suspense, revenue = await open_two(storage)
    posting = build_posting(suspense, revenue)
    with pytest.raises(KeisanError):
        async with storage.write() as transaction:
            await transaction.accounts.post([posting, posting])
    assert await read_balance(storage, suspense) == 0


async def test_writers_side_by_side_lose_nothing(storage: Database) -> None:
    """Batches over the same accounts in both directions end in the sum of all, without one waiting for ever."""
    suspense, revenue = await open_two(storage)
    random = Random(7)
    amounts = [random.randrange(1, BIG) for _ in range(24)]

    async def post(position: int, amount_nano: int) -> None:
        pair = (suspense, revenue) if position % 2 else (revenue, suspense)
        async with storage.write() as transaction:
            await transaction.accounts.post([build_posting(*pair, amount_nano)])

    async with asyncio.TaskGroup() as group:
        for position, amount_nano in enumerate(amounts):
            group.create_task(post(position, amount_nano))
    expected = sum(amounts[1::2]) - sum(amounts[0::2])
    assert await read_balance(storage, revenue) == expected == -await read_balance(storage, suspense)
    async with storage.read() as view:
        assert len(await view.accounts.list_postings(EVERYTHING, suspense, PageRequest(limit=100))) == len(amounts)


async def test_pages_of_postings_never_cut_a_batch(storage: Database) -> None:
    suspense, revenue = await open_two(storage)
    async with storage.write() as transaction:
        third = replace(SUSPENSE, kind=AccountKind.PROVIDER_PAYABLE)
        other = (await transaction.accounts.open([third]))[third]
    batches = []
    for _ in range(3):
        first = build_posting(suspense, revenue)
        batches.append([first, replace(first, credit_account_id=other)])
        async with storage.write() as transaction:
            await transaction.accounts.post(batches[-1])
    seen: list[Posting] = []
    async with storage.read() as view:
        for expected in (2, 2, 2, 0):
            after = seen[-1].entry_id if seen else None
            page = await view.accounts.list_postings(EVERYTHING, suspense, PageRequest(after, 1))
            assert len(page) == expected
            seen += page
        whole = await view.accounts.list_postings(EVERYTHING, suspense, PageRequest(limit=3))
        alone = await view.accounts.list_postings(EVERYTHING, other, PageRequest())
    assert {entry.entry_id for entry in whole} == {batch[0].entry_id for batch in batches[:2]}
    assert len(whole) == 4
    assert sorted(seen, key=repr) == sorted((entry for batch in batches for entry in batch), key=repr)
    assert list(alone) == [batch[1] for batch in batches]


async def test_everybody_sees_their_own_account(storage: Database) -> None:
    world = await plant_world(storage)
    left, right = world.left, world.right
    async with storage.write() as transaction:
        await transaction.accounts.open([SUSPENSE])
        await transaction.accounts.post([build_posting(left.wallet_id, left.payable_id)])
    scopes: list[tuple[Scope, AccountId, int]] = [
        (OrganizationScope(left.organization.id), left.wallet_id, -7),
        (ProviderScope(left.provider.id), left.payable_id, 7),
    ]
    async with storage.read() as view:
        for scope, own_id, balance_nano in scopes:
            page = await view.accounts.list(scope, PageRequest())
            assert [account.id for account in page.items] == [own_id]
            assert await view.accounts.sum_balances(scope) == {"CNY": balance_nano}
            assert len(await view.accounts.list_postings(scope, own_id, PageRequest())) == 1
            for hidden in (right.wallet_id, right.payable_id):
                with pytest.raises(NotFound):
                    await view.accounts.get(scope, hidden)
                with pytest.raises(NotFound):
                    await view.accounts.list_postings(scope, hidden, PageRequest())
        assert len((await view.accounts.list(EVERYTHING, PageRequest())).items) == 5
        first = await view.accounts.list(EVERYTHING, PageRequest(limit=2))
        second = await view.accounts.list(EVERYTHING, PageRequest(first.next_after))
        assert len({account.id for account in (*first.items, *second.items)}) == 5


@pytest.mark.parametrize("statement", ["UPDATE posting SET amount_nano = '1'", "DELETE FROM posting"])
async def test_journal_refuses_changes(storage: Database, statement: str) -> None:
    suspense, revenue = await open_two(storage)
    async with storage.write() as transaction:
        await transaction.accounts.post([build_posting(suspense, revenue)])
    with pytest.raises(InvariantBroken, match="append-only"):
        await execute(storage, text(statement))


async def test_wallets_are_found_by_their_owner_within_scope(storage: Database) -> None:
    world = await plant_world(storage)
    left, right = world.left.organization.id, world.right.organization.id
    dollars = AccountKey(AccountKind.WALLET, left, None, "USD")
    async with storage.write() as transaction:
        dollars_id = (await transaction.accounts.open([dollars]))[dollars]
        found = await transaction.accounts.list_wallets(EVERYTHING, [left, left])
        assert {account.id for account in found} == {world.left.wallet_id, dollars_id}
        everybody = await transaction.accounts.list_wallets(EVERYTHING, [left, right])
        assert {account.id for account in everybody} == {world.left.wallet_id, dollars_id, world.right.wallet_id}
        assert await transaction.accounts.list_wallets(EVERYTHING, []) == []
        assert await transaction.accounts.list_wallets(OrganizationScope(right), [left]) == []
        assert await transaction.accounts.list_wallets(ProviderScope(world.left.provider.id), [left]) == []


async def test_locked_account_is_read_as_it_is(storage: Database) -> None:
    suspense, revenue = await open_two(storage)

    async def move_one() -> None:
        async with storage.write() as transaction:
            locked = await transaction.accounts.lock([suspense, revenue])
            assert locked[suspense].balance_nano == -locked[revenue].balance_nano
            await transaction.accounts.post([build_posting(suspense, revenue, locked[revenue].balance_nano + 1)])

    async with asyncio.TaskGroup() as group:
        for _ in range(6):
            group.create_task(move_one())
    assert await read_balance(storage, revenue) == 2**6 - 1
    async with storage.write() as transaction:
        assert await transaction.accounts.lock([AccountId(create_id())]) == {}


async def test_accounts_between_platforms_are_told_apart_by_the_other_platform(storage: Database) -> None:
    await plant_world(storage)
    keys = [
        AccountKey(kind, None, None, "CNY", other)
        for kind in (AccountKind.PLATFORM_PAYABLE, AccountKind.PLATFORM_RECEIVABLE)
        for other in (OTHER_ID, PlatformId("cd" * 32))
    ]
    async with storage.write() as transaction:
        opened = await transaction.accounts.open(keys)
    async with storage.write() as transaction:
        assert await transaction.accounts.open(keys) == opened
        found = [await transaction.accounts.get(EVERYTHING, opened[key]) for key in keys]
    assert len(set(opened.values())) == 4
    assert [each.key for each in found] == keys
