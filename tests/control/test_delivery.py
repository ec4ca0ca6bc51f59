"""A dead delivery is asked for again: by those who may, under its own webhook, and nothing that lives is touched."""

from dataclasses import replace
from datetime import timedelta

import pytest

from keisan.control.context import Control
from keisan.control.delivery import send_again
from keisan.domain.access import Role
from keisan.domain.delivery import Delivery, DeliveryState
from keisan.domain.errors import NotFound, PermissionDenied, StateConflict
from keisan.domain.lease import WorkNoun
from tests.control.people import EVERYTHING, add_key, list_events, take_work
from tests.factories import FixedClock, World, create_webhook


@pytest.fixture
async def dead(control: Control, world: World) -> Delivery:
    """The left side's delivery, given up."""
    delivery = replace(
        world.left.delivery, state=DeliveryState.DEAD, attempt_count=80, last_answer="HTTP 500", version=2
    )
    async with control.storage.write() as transaction:
        await transaction.deliveries.update(delivery)
    return delivery


async def test_dead_one_waits_again_from_now(control: Control, clock: FixedClock, world: World, dead: Delivery) -> None:
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN)
    clock.instant += timedelta(days=5)
    wanted = await send_again(control, owner, dead.webhook_id, dead.id)
    now = clock.now()
    assert wanted == replace(
        dead, state=DeliveryState.PENDING, attempt_count=0, wanted_since=now, next_at=now, version=3
    )
    async with control.storage.read() as view:
        assert await view.deliveries.get(EVERYTHING, dead.id) == wanted
    assert [(lease.noun, lease.noun_id) for lease in await take_work(control)] == [(WorkNoun.WEBHOOK, dead.webhook_id)]
    event = (await list_events(control))[-1]
    assert (event.action, event.noun_id, event.detail["sequence"]) == ("delivery.wanted_again", dead.id, "1")
    with pytest.raises(StateConflict, match="pending"):
        await send_again(control, owner, dead.webhook_id, dead.id)


async def test_what_was_delivered_is_not_sent_again(control: Control, world: World) -> None:
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN)
    with pytest.raises(StateConflict, match="delivered"):
        await send_again(control, owner, world.left.webhook.id, world.left.delivery.id)


async def test_others_and_other_webhooks_find_nothing(control: Control, world: World, dead: Delivery) -> None:
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN)
    stranger = await add_key(control, world.right.project, Role.ORGANIZATION_ADMIN)
    developer = await add_key(control, world.left.project, Role.DEVELOPER)
    other = create_webhook(world.left.organization)
    async with control.storage.write() as transaction:
        await transaction.webhooks.insert(other)
    for asker, webhook_id, fault in (
        (stranger, dead.webhook_id, NotFound),
        (owner, other.id, NotFound),
        (developer, dead.webhook_id, PermissionDenied),
    ):
        with pytest.raises(fault):
            await send_again(control, asker, webhook_id, dead.id)
    async with control.storage.read() as view:
        assert await view.deliveries.get(EVERYTHING, dead.id) == dead
