"""Closings on both databases: as they went in, the one that is next, and that only a platform sees any."""

from dataclasses import replace
from datetime import date

import pytest

from keisan.domain.access import OrganizationScope, ProviderScope, Scope
from keisan.domain.closing import Closing, ClosingState
from keisan.domain.errors import NotFound, VersionMismatch
from keisan.domain.ids import OrganizationId, ProviderId
from keisan.domain.page import PageRequest
from keisan.domain.statement import CloseOutcome, HolderKind, StatementHolder, find_period
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from tests.domain.samples import NOW, build_closing, build_draft
from tests.settlement import EVERYTHING

HOLDER_ID = create_id()


async def insert(storage: Database, *closings: Closing) -> None:
    async with storage.write() as transaction:
        for each in closings:
            await transaction.closings.insert(each)


async def test_closing_comes_back_as_it_went_in_and_as_it_was_changed(storage: Database) -> None:
    asked = build_closing(holder_id=HOLDER_ID)
    passed = StatementHolder(HolderKind.PROVIDER, HOLDER_ID, "CNY")
    moved = replace(asked, version=2, counts={CloseOutcome.EARLIER_OPEN: 2**40}, passed=passed, draft=build_draft())
    done = replace(moved, version=3, draft=None, state=ClosingState.DONE, ended_at=NOW)
    await insert(storage, asked)
    for each in (moved, done):
        async with storage.write() as transaction:
            await transaction.closings.update(each)
        async with storage.read() as view:
            assert await view.closings.get(EVERYTHING, asked.id) == each
    async with storage.write() as transaction:
        with pytest.raises(VersionMismatch):
            await transaction.closings.update(moved)


async def test_next_is_the_first_that_was_asked_for_and_is_not_done(storage: Database) -> None:
    first, second = build_closing(state=ClosingState.DONE), build_closing()
    await insert(storage, first, second, build_closing())
    async with storage.write() as transaction:
        assert await transaction.closings.find_next(EVERYTHING) == second
        await transaction.closings.update(replace(second, version=2, state=ClosingState.DONE))
        found = await transaction.closings.find_next(EVERYTHING)
        assert found is not None
        await transaction.closings.update(replace(found, version=2, state=ClosingState.DONE))
        assert await transaction.closings.find_next(EVERYTHING) is None


async def test_same_is_of_the_same_period_and_holder_and_under_way(storage: Database) -> None:
    one, all_of_them = build_closing(holder_id=HOLDER_ID), build_closing()
    await insert(storage, one, all_of_them, build_closing(holder_id=create_id(), state=ClosingState.DONE))
    async with storage.read() as view:
        assert await view.closings.find_same(EVERYTHING, build_closing()) == all_of_them
        assert await view.closings.find_same(EVERYTHING, build_closing(holder_id=HOLDER_ID)) == one
        assert await view.closings.find_same(EVERYTHING, build_closing(holder_id=create_id())) is None
        other = build_closing(period=find_period(date(2026, 11, 1)))
        assert await view.closings.find_same(EVERYTHING, other) is None


@pytest.mark.parametrize("scope", [OrganizationScope(OrganizationId(HOLDER_ID)), ProviderScope(ProviderId(HOLDER_ID))])
async def test_nobody_but_a_platform_sees_any(storage: Database, scope: Scope) -> None:
    own = build_closing(holder_id=HOLDER_ID)
    await insert(storage, own)
    async with storage.read() as view:
        with pytest.raises(NotFound):
            await view.closings.get(scope, own.id)
        assert (await view.closings.list(scope, PageRequest())).items == ()
        assert await view.closings.find_next(scope) is None
        assert await view.closings.find_same(scope, own) is None
        assert (await view.closings.list(EVERYTHING, PageRequest())).items == (own,)
