"""Which rows could go, on both databases: whose they are, from when they are kept, and which never go."""

from dataclasses import replace
from datetime import timedelta

from keisan.domain.access import OrganizationScope, PlatformScope
from keisan.domain.delivery import Delivery, DeliveryState
from keisan.domain.retention import RetentionKind
from keisan.kit.ids import create_id
from keisan.storage.base import StoredAnswer
from keisan.storage.database import Database
from tests.factories import NOW, World, create_delivery, plant_world

EVERYTHING = PlatformScope()
OLD = NOW - timedelta(days=8)
CUTOFF = NOW - timedelta(days=7)


def create_old(world: World, sequence: int, state: DeliveryState = DeliveryState.DELIVERED) -> Delivery:
    delivery = create_delivery(world.left.webhook, world.left.alert, sequence)
    return replace(delivery, state=state, wanted_since=OLD, created_at=OLD)


async def test_oldest_go_first_and_so_many_at_most(storage: Database) -> None:
    principal = create_id()
    async with storage.write() as transaction:
        for number in (3, 1, 2):
            created_at = OLD + timedelta(hours=number)
            await transaction.idempotency.insert(principal, f"{number}", StoredAnswer("d", 201, "", None), created_at)
    async with storage.write() as transaction:
        assert await transaction.retention.delete_before(RetentionKind.ANSWER, CUTOFF, 2) == 2
    async with storage.read() as view:
        kept = [await view.idempotency.find(principal, key) for key in ("1", "2", "3")]
        assert [answer is not None for answer in kept] == [False, False, True]
        assert await view.retention.find_oldest(EVERYTHING, RetentionKind.ANSWER) == OLD + timedelta(hours=3)


async def test_same_key_of_another_principal_stays(storage: Database) -> None:
    old, new = create_id(), create_id()
    async with storage.write() as transaction:
        await transaction.idempotency.insert(old, "key", StoredAnswer("d", 201, "", None), OLD)
        await transaction.idempotency.insert(new, "key", StoredAnswer("d", 201, "", None), NOW)
        assert await transaction.retention.delete_before(RetentionKind.ANSWER, CUTOFF, 9) == 1
        assert await transaction.idempotency.find(new, "key") is not None


async def test_delivery_that_was_sent_again_is_kept_anew_and_the_newest_stays(storage: Database) -> None:
    world = await plant_world(storage)
    again = create_old(world, 3, DeliveryState.DEAD)
    rows = [create_old(world, 2), again, create_old(world, 4, DeliveryState.PENDING), create_old(world, 5)]
    async with storage.write() as transaction:
        for row in rows:
            await transaction.deliveries.insert(row)
        await transaction.deliveries.update(replace(again, state=DeliveryState.DELIVERED, wanted_since=NOW, version=2))
        assert await transaction.retention.find_oldest(EVERYTHING, RetentionKind.DELIVERY) == OLD
        assert await transaction.retention.delete_before(RetentionKind.DELIVERY, CUTOFF, 9) == 1
        for row in rows[1:]:
            await transaction.deliveries.get(EVERYTHING, row.id)
        assert await transaction.deliveries.get_last_sequence(EVERYTHING, world.left.webhook.id) == 5


async def test_others_see_nothing_of_it(storage: Database) -> None:
    world = await plant_world(storage)
    async with storage.write() as transaction:
        for sequence in (2, 3):
            await transaction.deliveries.insert(create_old(world, sequence))
    stranger = OrganizationScope(world.left.organization.id)
    async with storage.read() as view:
        # Both sides of the planted world have one, of which the other one is the newest.
        counts = await view.retention.count(EVERYTHING, RetentionKind.DELIVERY, CUTOFF)
        assert (counts.stored_count, counts.due_count, counts.oldest_at) == (4, 1, OLD)
        hidden = await view.retention.count(stranger, RetentionKind.DELIVERY, CUTOFF)
        assert (hidden.stored_count, hidden.due_count, hidden.oldest_at) == (0, 0, None)
