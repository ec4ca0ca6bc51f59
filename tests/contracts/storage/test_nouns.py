"""What every repository of nouns does alike, on both databases."""

from dataclasses import replace

import pytest

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope, Scope
from keisan.domain.errors import AlreadyExists, NotFound, StateConflict, VersionMismatch
from keisan.domain.ids import OrganizationId, PlatformId, ProviderId
from keisan.domain.page import PageRequest
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from tests.contracts.storage.nouns import FIXED, NOUNS, NounCase, list_page_ids
from tests.factories import create_device, create_project, plant_world

EVERYTHING = PlatformScope()
ALL = [pytest.param(case, id=case.name) for case in (*NOUNS, *FIXED)]
CHANGED = [pytest.param(case, id=case.name) for case in NOUNS]
UNIQUE = [pytest.param(case, id=case.name) for case in (*NOUNS, *FIXED) if case.clash]


@pytest.mark.parametrize("case", ALL)
async def test_noun_comes_back_as_it_went_in(storage: Database, case: NounCase) -> None:
    world = await plant_world(storage)
    noun = case.create(world)
    async with storage.write() as transaction:
        await case.choose(transaction).insert(noun)
    async with storage.read() as view:
        assert await case.choose(view).get(EVERYTHING, noun.id) == noun


@pytest.mark.parametrize("case", CHANGED)
async def test_update_writes_all_that_changed(storage: Database, case: NounCase) -> None:
    world = await plant_world(storage)
    noun = case.create(world)
    changed = replace(case.change(noun), version=2)
    async with storage.write() as transaction:
        await case.choose(transaction).insert(noun)
        await case.choose(transaction).update(changed)
    async with storage.read() as view:
        assert await case.choose(view).get(EVERYTHING, noun.id) == changed
    assert changed != replace(noun, version=2)


@pytest.mark.parametrize("case", CHANGED)
@pytest.mark.parametrize("version", [1, 3])
async def test_update_needs_the_version_before(storage: Database, case: NounCase, version: int) -> None:
    world = await plant_world(storage)
    noun = case.create(world)
    async with storage.write() as transaction:
        await case.choose(transaction).insert(noun)
    with pytest.raises(VersionMismatch):
        async with storage.write() as transaction:
            await case.choose(transaction).update(replace(case.change(noun), version=version))
    async with storage.read() as view:
        assert await case.choose(view).get(EVERYTHING, noun.id) == noun


@pytest.mark.parametrize("case", CHANGED)
async def test_update_of_nothing_is_refused(storage: Database, case: NounCase) -> None:
    world = await plant_world(storage)
    with pytest.raises(VersionMismatch):
        async with storage.write() as transaction:
            await case.choose(transaction).update(replace(case.create(world), version=2))


@pytest.mark.parametrize("case", ALL)
async def test_same_id_is_taken(storage: Database, case: NounCase) -> None:
    world = await plant_world(storage)
    noun = case.create(world)
    async with storage.write() as transaction:
        await case.choose(transaction).insert(noun)
    with pytest.raises(AlreadyExists):
        async with storage.write() as transaction:
            await case.choose(transaction).insert(noun)


@pytest.mark.parametrize("case", UNIQUE)
async def test_what_is_unique_is_taken_and_the_transaction_goes_on(storage: Database, case: NounCase) -> None:
    world = await plant_world(storage)
    assert case.clash
    noun, other = case.create(world), case.create(world)
    async with storage.write() as transaction:
        await case.choose(transaction).insert(noun)
        with pytest.raises(AlreadyExists):
            await case.choose(transaction).insert(case.clash(other, noun))
    async with storage.read() as view:
        assert await case.choose(view).get(EVERYTHING, noun.id) == noun
        with pytest.raises(NotFound):
            await case.choose(view).get(EVERYTHING, other.id)


@pytest.mark.parametrize("case", ALL)
async def test_pages_are_in_order_whole_and_end(storage: Database, case: NounCase) -> None:
    world = await plant_world(storage)
    wanted = sorted(case.planted(world))
    async with storage.read() as view:
        seen, after = [], None
        for _ in wanted:
            page = await case.choose(view).list(EVERYTHING, PageRequest(after, 1))
            seen += list_page_ids(page)
            assert (page.next_after is None) == (len(seen) == len(wanted))
            after = page.next_after
        past = await case.choose(view).list(EVERYTHING, PageRequest(wanted[-1], 1))
        every = await case.choose(view).list(EVERYTHING, PageRequest())
    assert seen == wanted == list_page_ids(every)
    assert (past.items, past.next_after, every.next_after) == ((), None, None)


@pytest.mark.parametrize("case", ALL)
async def test_scope_bounds_every_read(storage: Database, case: NounCase) -> None:
    world = await plant_world(storage)
    planted, by_organization = case.planted(world), case.seen_by_organization(world)
    # Nobody's organization sees what is public, as any organization does, and nobody's provider likewise.
    public = by_organization & case.seen_by_provider(world)
    scopes: list[tuple[Scope, set[object]]] = [
        (EVERYTHING, planted),
        (OrganizationScope(world.left.organization.id), by_organization),
        (ProviderScope(world.left.provider.id), case.seen_by_provider(world)),
        (OrganizationScope(OrganizationId(create_id())), planted if case.name == "providers" else public),
        (ProviderScope(ProviderId(create_id())), set() if case.name == "providers" else public),
    ]
    async with storage.read() as view:
        repository = case.choose(view)
        for scope, seen in scopes:
            assert set(list_page_ids(await repository.list(scope, PageRequest()))) == seen
            for noun_id in planted & seen:
                assert (await repository.get(scope, noun_id)).id == noun_id
            for noun_id in planted - seen:
                with pytest.raises(NotFound):
                    await repository.get(scope, noun_id)


async def test_noun_needs_what_it_names(storage: Database) -> None:
    world = await plant_world(storage)
    orphan = replace(create_project(world.left.organization, "orphan"), organization_id=OrganizationId(create_id()))
    with pytest.raises(StateConflict):
        async with storage.write() as transaction:
            await transaction.projects.insert(orphan)


async def test_update_that_takes_a_name_is_refused(storage: Database) -> None:
    world = await plant_world(storage)
    stolen = replace(world.left.organization, name=world.right.organization.name, version=2)
    with pytest.raises(AlreadyExists):
        async with storage.write() as transaction:
            await transaction.organizations.update(stolen)


async def test_update_changes_no_birth(storage: Database) -> None:
    world = await plant_world(storage)
    device = create_device(world.left.node)
    changed = replace(device, version=2, name="new", platform_id=PlatformId("ff" * 32))
    async with storage.write() as transaction:
        await transaction.devices.insert(device)
        await transaction.devices.update(changed)
    async with storage.read() as view:
        assert await view.devices.get(EVERYTHING, device.id) == replace(changed, platform_id=device.platform_id)
