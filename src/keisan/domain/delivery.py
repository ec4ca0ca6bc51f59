"""A delivery: one alert on its way to one webhook. Those of a webhook are sent strictly in order of their sequence."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from keisan.domain.ids import AlertId, DeliveryId, OrganizationId, PlatformId, WebhookId


class DeliveryState(StrEnum):
    """Pending until its receiver took it, or until it is given up. A dead one may be asked for again."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


DELIVERY_TRANSITIONS: dict[DeliveryState, frozenset[DeliveryState]] = {
    DeliveryState.PENDING: frozenset({DeliveryState.DELIVERED, DeliveryState.DEAD}),
    DeliveryState.DELIVERED: frozenset(),
    DeliveryState.DEAD: frozenset({DeliveryState.PENDING}),
}


@dataclass(frozen=True, slots=True)
class Delivery:
    """`sequence` counts a webhook's deliveries from 1 without a gap. `organization_id` is its webhook's.

    `wanted_since` is when it was last asked for: a try that fails DELIVERY_LIFE_S after that is the last. `next_at` is when
    it is due; `last_answer` what came of the last try, in words, empty before the first.
    """

    id: DeliveryId
    platform_id: PlatformId
    organization_id: OrganizationId | None
    webhook_id: WebhookId
    sequence: int
    alert_id: AlertId
    state: DeliveryState
    attempt_count: int
    wanted_since: datetime
    next_at: datetime
    last_answer: str
    version: int
    created_at: datetime
