"""Grants, their terms and wants, on both databases."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.domain.errors import AlreadyExists, NotFound, VersionMismatch
from keisan.domain.grant import Grant, GrantState, GrantTerms, GrantWant, OnExpiry, Sending, WantState
from keisan.domain.ids import DeviceId, GrantId, GrantWantId, PlatformId
from keisan.domain.page import PageRequest
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from tests.factories import NOW, PLATFORM_ID, plant_world
from tests.federation.grant_samples import PARENT, WORK, build_answer, build_grant, build_want

EVERYTHING = PlatformScope()
TERMS = GrantTerms(PLATFORM_ID, 1, 0, 0, 1)


def make_grant(**changes: object) -> Grant:
    return build_grant(id=GrantId(create_id()), platform_id=PLATFORM_ID, want_id=GrantWantId(create_id()), **changes)


def make_want(**changes: object) -> GrantWant:
    return build_want(id=GrantWantId(create_id()), platform_id=PLATFORM_ID, **changes)


async def test_grant_comes_back_as_it_went_in_and_as_it_was_changed(storage: Database) -> None:
    grant = make_grant(work=WORK, offset_ms=None)
    changed = replace(
        grant,
        state=GrantState.RELEASED,
        scope=replace(grant.scope, chip=None, on_expiry=OnExpiry.RELEASE, count=2**40),
        epoch=2**53,
        number=2**53,
        offset_ms=-(2**40),
        work=None,
        device_ids=(DeviceId(create_id()),),
        reckoned_from=NOW + timedelta(microseconds=1),
        reason="計算",
        version=3,
    )
    async with storage.write() as transaction:
        await transaction.grants.insert(grant)
    async with storage.read() as view:
        assert await view.grants.get(EVERYTHING, grant.id) == grant
    async with storage.write() as transaction:
        await transaction.grants.update(changed)
        with pytest.raises(VersionMismatch):
            await transaction.grants.update(changed)
    async with storage.read() as view:
        assert await view.grants.get(EVERYTHING, grant.id) == changed
        assert (await view.grants.list(EVERYTHING, PageRequest())).items == (changed,)


async def test_want_comes_back_as_it_went_in_and_as_it_was_changed(storage: Database) -> None:
    want = make_want()
    changed = replace(
        want,
        sendings={7: Sending(2**53, NOW + timedelta(microseconds=1), None), 10: Sending(0, NOW, -5)},
        answer=build_answer(state=GrantState.HELD, reason="計算"),
        work=WORK,
        state=WantState.ENDED,
        version=2,
    )
    async with storage.write() as transaction:
        await transaction.grant_wants.insert(want)
    async with storage.read() as view:
        assert await view.grant_wants.get(EVERYTHING, want.id) == want
    async with storage.write() as transaction:
        await transaction.grant_wants.update(changed)
    async with storage.read() as view:
        assert await view.grant_wants.get(EVERYTHING, want.id) == changed
        assert await view.grant_wants.list_child(EVERYTHING, want.child_id) == (changed,)
        assert await view.grant_wants.list_child(EVERYTHING, PARENT) == ()


async def test_last_grant_of_a_want_and_those_that_hold(storage: Database) -> None:
    over = make_grant(state=GrantState.RELEASED)
    held = replace(make_grant(state=GrantState.HELD), want_id=over.want_id)
    waiting = make_grant(state=GrantState.PROPOSED, device_ids=())
    other = make_grant(parent_id=PlatformId("c" * 64))
    async with storage.write() as transaction:
        for grant in (over, held, waiting, other):
            await transaction.grants.insert(grant)
    async with storage.read() as view:
        assert await view.grants.find_last(EVERYTHING, PARENT, over.want_id) == held
        assert await view.grants.find_last(EVERYTHING, other.parent_id, over.want_id) is None
        assert set(await view.grants.list_holding(EVERYTHING)) == {held, other}
        assert set(await view.grants.list_live(EVERYTHING, PARENT)) == {held, waiting}


async def test_no_organization_and_no_provider_sees_grants(storage: Database) -> None:
    world = await plant_world(storage)
    grant, want = make_grant(), make_want()
    async with storage.write() as transaction:
        await transaction.grants.insert(grant)
        await transaction.grant_wants.insert(want)
        await transaction.grant_terms.insert(TERMS)
    async with storage.read() as view:
        for scope in (OrganizationScope(world.left.organization.id), ProviderScope(world.left.provider.id)):
            assert (await view.grants.list(scope, PageRequest())).items == ()
            assert (await view.grant_wants.list(scope, PageRequest())).items == ()
            assert await view.grants.list_holding(scope) == ()
            assert await view.grants.list_live(scope, PARENT) == ()
            assert await view.grant_wants.list_child(scope, want.child_id) == ()
            assert await view.grant_terms.find(scope, PLATFORM_ID) is None
            assert await view.grants.find_last(scope, PARENT, grant.want_id) is None
            with pytest.raises(NotFound):
                await view.grants.get(scope, grant.id)
            with pytest.raises(NotFound):
                await view.grant_wants.get(scope, want.id)


async def test_terms_are_one_row_under_a_version(storage: Database) -> None:
    raised = replace(TERMS, epoch=2**53, last_number=4, automatic_count=8, version=2)
    async with storage.write() as transaction:
        assert await transaction.grant_terms.lock(PLATFORM_ID) is None
        await transaction.grant_terms.insert(TERMS)
        with pytest.raises(AlreadyExists):
            await transaction.grant_terms.insert(TERMS)
        await transaction.grant_terms.update(raised)
        with pytest.raises(VersionMismatch):
            await transaction.grant_terms.update(raised)
    async with storage.read() as view:
        assert await view.grant_terms.find(EVERYTHING, PLATFORM_ID) == raised


async def test_terms_are_locked_until_commit(storage: Database) -> None:
    """Two that issue at once take one number each: the second waits for the first, and sees what it wrote."""
    async with storage.write() as transaction:
        await transaction.grant_terms.insert(TERMS)

    async def take_number() -> int:
        async with storage.write() as transaction:
            terms = await transaction.grant_terms.lock(PLATFORM_ID)
            assert terms is not None
            await asyncio.sleep(0)
            number = terms.last_number + 1
            await transaction.grant_terms.update(replace(terms, last_number=number, version=terms.version + 1))
        return number

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(take_number()) for _ in range(8)]
    assert sorted(task.result() for task in tasks) == list(range(1, 9))


async def test_fence_only_rises_and_no_update_turns_it_back(storage: Database) -> None:
    world = await plant_world(storage)
    deployment = world.left.deployment
    async with storage.write() as transaction:
        await transaction.deployments.raise_fence(deployment.id, 1)
        await transaction.deployments.update(replace(deployment, reason="asked to", version=2))
    async with storage.read() as view:
        found = await view.deployments.get(EVERYTHING, deployment.id)
        other = await view.deployments.get(EVERYTHING, world.right.deployment.id)
    assert (found.fence, found.version, found.reason) == (1, 2, "asked to")
    assert other.fence == 0
    async with storage.write() as transaction:
        await transaction.deployments.raise_fence(deployment.id, 5)
    async with storage.read() as view:
        assert (await view.deployments.get(EVERYTHING, deployment.id)).fence == 6


async def test_deployment_names_its_grant(storage: Database) -> None:
    world = await plant_world(storage)
    grant = make_grant()
    named = replace(world.left.deployment, grant_id=grant.id, version=2)
    async with storage.write() as transaction:
        await transaction.grants.insert(grant)
        await transaction.deployments.update(named)
    async with storage.read() as view:
        assert await view.deployments.get(EVERYTHING, named.id) == named
