"""Commands on deliveries: ask again for one that was given up."""

from dataclasses import replace

from keisan.control.context import Control, name_actor
from keisan.domain.access import Principal, Right
from keisan.domain.delivery import DELIVERY_TRANSITIONS, Delivery, DeliveryState
from keisan.domain.errors import NotFound, StateConflict
from keisan.domain.event import EventDraft
from keisan.domain.ids import DeliveryId, WebhookId
from keisan.domain.lease import WorkNoun


async def send_again(
    control: Control, principal: Principal, webhook_id: WebhookId, delivery_id: DeliveryId
) -> Delivery:
    """Send a dead delivery again, before those that wait, under its own sequence.

    Raises PermissionDenied, NotFound, or StateConflict for one that is not dead.
    """
    principal.require(Right.WRITE_ALERTS)
    now = control.clock.now()
    async with control.storage.write() as transaction:
        stored = await transaction.deliveries.get(principal.scope, delivery_id)
        if stored.webhook_id != webhook_id:
            raise NotFound(f"there is no delivery {delivery_id} to this webhook")
        if DeliveryState.PENDING not in DELIVERY_TRANSITIONS[stored.state]:
            raise StateConflict(f"the delivery is {stored.state}")
        wanted = replace(
            stored,
            state=DeliveryState.PENDING,
            attempt_count=0,
            wanted_since=now,
            next_at=now,
            version=stored.version + 1,
        )
        await transaction.deliveries.update(wanted)
        detail = {"webhook_id": str(webhook_id), "sequence": str(stored.sequence)}
        draft = EventDraft(name_actor(principal), "delivery.wanted_again", delivery_id, detail)
        await transaction.events.append(draft)
        await transaction.outbox.put(WorkNoun.WEBHOOK, webhook_id, now)
    return wanted
