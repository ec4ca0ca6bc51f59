"""Commands on offers: whose they are, which version is next, and how one is withdrawn."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from keisan.control.context import Control
from keisan.control.offer import create_offer, withdraw_offer
from keisan.domain.access import Principal, Role
from keisan.domain.catalog import Catalog
from keisan.domain.errors import InvalidInput, NotFound, PermissionDenied, StateConflict
from keisan.domain.offer import OfferKind, choose_offer
from keisan.domain.price import TokenClass
from keisan.kit.ids import create_id
from keisan.wire.offer import OfferCreate
from tests.control.people import EVERYTHING, add_key, list_events
from tests.domain.samples import build_chip
from tests.factories import NOW, FixedClock, World

NANO = {TokenClass.INPUT: 10**18, TokenClass.OUTPUT: 7}
HOUR = timedelta(hours=1)


def build_body(world: World, **changes: object) -> OfferCreate:
    values = {"provider_id": world.left.provider.id, "model_id": world.model.id, "currency": "CNY"}
    return OfferCreate.model_validate(values | {"nano_per_million": NANO} | changes)


def build_chip_body(world: World, **changes: object) -> OfferCreate:
    own: dict[str, object] = {
        "model_id": None,
        "chip": "nvidia-h20",
        "nano_per_million": {},
        "nano_per_device_hour": "12000000000",
    }
    return build_body(world, **(own | changes))


@pytest.fixture
async def provider(control: Control, world: World) -> Principal:
    """A key of the left provider."""
    return await add_key(control, world.left.project, Role.PROVIDER, world.left.provider.id)


@pytest.fixture
def stocked(control: Control) -> Control:
    """A platform whose catalogue has a chip."""
    return replace(control, catalog=Catalog(chips={"nvidia-h20": build_chip("nvidia-h20")}))


async def test_provider_makes_the_next_version_of_its_own(control: Control, world: World, provider: Principal) -> None:
    created = await create_offer(control, provider, build_body(world))
    assert (created.version, created.effective_from, created.effective_until) == (2, NOW, None)
    async with control.storage.read() as view:
        assert await view.offers.get(provider.scope, created.id) == created
        assert await view.offers.get(provider.scope, world.left.offer.id) == world.left.offer
    event = (await list_events(control))[-1]
    assert (event.action, event.noun_id, event.detail["offer_version"]) == ("offer.created", created.id, "2")
    assert event.detail["nano_per_million.input"] == str(10**18)
    assert "quantity_max" not in event.detail


async def test_admin_makes_any_providers_offer(stocked: Control, world: World) -> None:
    admin = await add_key(stocked, world.left.project, Role.PLATFORM_ADMIN)
    limits = {"kind": "reserved", "quantity_max": 5000, "term_hours": 720}
    span = {"effective_from": NOW + HOUR, "effective_until": NOW + 2 * HOUR}
    body = build_chip_body(world, provider_id=world.right.provider.id, **limits, **span)
    created = await create_offer(stocked, admin, body)
    assert (created.provider_id, created.version, created.kind) == (world.right.provider.id, 1, OfferKind.RESERVED)
    assert (created.chip, created.nano_per_device_hour, created.quantity_max) == ("nvidia-h20", 12_000_000_000, 5000)
    assert (created.effective_from, created.effective_until) == (NOW + HOUR, NOW + 2 * HOUR)
    event = (await list_events(stocked))[-1]
    assert (event.detail["subject"], event.detail["effective_until"]) == (
        "chip:nvidia-h20",
        (NOW + 2 * HOUR).isoformat(),
    )


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.ORGANIZATION_ADMIN, Role.DEVELOPER])
async def test_nobody_else_offers(control: Control, world: World, role: Role) -> None:
    somebody = await add_key(control, world.left.project, role)
    with pytest.raises(PermissionDenied):
        await create_offer(control, somebody, build_body(world))
    with pytest.raises(PermissionDenied):
        await withdraw_offer(control, somebody, world.left.offer.id)


async def test_provider_neither_makes_nor_withdraws_anothers(
    control: Control, world: World, provider: Principal
) -> None:
    before = len(await list_events(control))
    with pytest.raises(NotFound):
        await create_offer(control, provider, build_body(world, provider_id=world.right.provider.id))
    with pytest.raises(NotFound):
        await withdraw_offer(control, provider, world.right.offer.id)
    assert len(await list_events(control)) == before


WRONG: Mapping[str, tuple[Mapping[str, object], str]] = {
    "in the past": ({"effective_from": NOW - timedelta(microseconds=1)}, "effective_from"),
    "over before it begins": ({"effective_from": NOW + HOUR, "effective_until": NOW + HOUR}, "effective_until"),
    "of nothing": ({"model_id": None}, "model_id"),
    "without prices": ({"nano_per_million": {}}, "nano_per_million.input"),
    "without a term": ({"kind": "reserved", "quantity_max": 1}, "term_hours"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_wrong_offers_are_refused(control: Control, world: World, provider: Principal, name: str) -> None:
    changes, field = WRONG[name]
    with pytest.raises(InvalidInput) as refusal:
        await create_offer(control, provider, build_body(world, **changes))
    assert refusal.value.field == field


async def test_what_is_offered_exists(control: Control, world: World, provider: Principal) -> None:
    with pytest.raises(NotFound):
        await create_offer(control, provider, build_body(world, model_id=create_id()))
    with pytest.raises(InvalidInput) as refusal:
        await create_offer(control, provider, build_chip_body(world))
    assert refusal.value.field == "chip"


async def test_withdrawn_offer_is_in_force_no_more_and_stays_as_it_was(
    control: Control, world: World, provider: Principal, clock: FixedClock
) -> None:
    offer = await create_offer(control, provider, build_body(world))
    clock.instant += HOUR
    withdrawn = await withdraw_offer(control, provider, offer.id)
    assert (withdrawn.version, withdrawn.is_withdrawn, withdrawn.effective_from) == (3, True, NOW + HOUR)
    pair = (world.left.provider.id, world.model.id)
    async with control.storage.read() as view:
        offers = await view.offers.list_models(EVERYTHING, [pair])
    assert choose_offer(offers, *pair, "CNY", NOW) == offer
    assert choose_offer(offers, *pair, "CNY", NOW + HOUR) is None
    assert (await list_events(control))[-1].action == "offer.withdrawn"
    with pytest.raises(StateConflict):
        await withdraw_offer(control, provider, withdrawn.id)


async def test_withdrawn_chip_is_offered_again(stocked: Control, world: World, provider: Principal) -> None:
    first = await create_offer(stocked, provider, build_chip_body(world))
    withdrawn = await withdraw_offer(stocked, provider, first.id)
    again = await create_offer(stocked, provider, build_chip_body(world, nano_per_device_hour="0"))
    assert [each.version for each in (first, withdrawn, again)] == [1, 2, 3]
    assert [each.is_withdrawn for each in (first, withdrawn, again)] == [False, True, False]
