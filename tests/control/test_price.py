"""Commands on prices: the next version, from when on it holds, and the model that points at it."""

from datetime import timedelta

import pytest

from keisan.control.context import Control
from keisan.control.price import create_price
from keisan.domain.access import Role
from keisan.domain.errors import InvalidInput, NotFound, PermissionDenied
from keisan.domain.lease import WorkNoun
from keisan.domain.price import TokenClass
from keisan.kit.ids import create_id
from keisan.wire.price import PriceCreate
from tests.control.people import EVERYTHING, add_key, get_version, list_events, list_touched, take_work
from tests.factories import NOW, World

NANO = {TokenClass.INPUT: 10**18, TokenClass.OUTPUT: 7}


def build_body(world: World, **changes: object) -> PriceCreate:
    values = {"model_id": world.model.id, "currency": "CNY", "nano_per_million": NANO}
    return PriceCreate.model_validate(values | changes)


async def test_next_version_is_in_force_and_marked_with_its_model(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    before = await get_version(control)
    created = await create_price(control, admin, build_body(world))
    assert created.version == world.price.version + 1
    async with control.storage.read() as view:
        assert await view.prices.list_current(EVERYTHING, [world.model.id], NOW) == {world.model.id: created}
        assert await view.prices.get(EVERYTHING, world.price.id) == world.price
    assert await list_touched(control, before) == {
        ("prices", str(world.price.id)),
        ("prices", str(created.id)),
        ("models", str(world.model.id)),
    }
    assert await get_version(control) == before + 1
    assert (await list_events(control))[-1].detail["nano_per_million.input"] == str(10**18)


async def test_wrong_prices_are_refused(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    with pytest.raises(InvalidInput):
        await create_price(control, admin, build_body(world, nano_per_million={"input": 1}))
    with pytest.raises(InvalidInput):
        await create_price(control, admin, build_body(world, nano_per_million={"input": 10**18 + 1, "output": 1}))
    with pytest.raises(InvalidInput) as refusal:
        await create_price(control, admin, build_body(world, effective_from=NOW - timedelta(microseconds=1)))
    assert refusal.value.field == "effective_from"
    with pytest.raises(NotFound):
        await create_price(control, admin, build_body(world, model_id=create_id()))


async def test_owner_sets_no_price(control: Control, world: World) -> None:
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN)
    with pytest.raises(PermissionDenied):
        await create_price(control, owner, build_body(world))


async def test_price_to_come_is_work_for_its_instant_and_leaves_the_snapshot(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    before, later = await get_version(control), NOW + timedelta(days=1)
    planned = await create_price(control, admin, build_body(world, effective_from=later))
    assert (planned.version, planned.effective_from, planned.created_at) == (2, later, NOW)
    async with control.storage.read() as view:
        assert await view.prices.list_current(EVERYTHING, None, NOW) == {world.model.id: world.price}
    assert await get_version(control) == before
    assert await take_work(control) == []
    async with control.storage.write() as transaction:
        (lease,) = await transaction.outbox.take(later, timedelta(seconds=30), 9)
    assert (lease.noun, lease.noun_id) == (WorkNoun.PRICE, planned.id)
    # The next one is numbered after it, though it is not in force.
    assert (await create_price(control, admin, build_body(world))).version == 3


async def test_pictures_and_sound_have_prices(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    nano = {"input": "0", "output": "0", "image": "30000000000000", "audio_second": "2500000000"}
    created = await create_price(control, admin, build_body(world, nano_per_million=nano))
    assert created.nano_per_million[TokenClass.IMAGE] == 30_000_000_000_000
    assert created.nano_per_million[TokenClass.AUDIO_SECOND] == 2_500_000_000
