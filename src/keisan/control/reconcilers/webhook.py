"""Webhooks: the alert that waits longest is sent, signed, and the next one only after it was taken or given up.

One at a time under the webhook's lease, so that order holds through any number of platform processes. A receiver may get
one twice, if its answer or the lease is lost.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from keisan.control.context import CONTROL_ACTOR, Control
from keisan.domain.access import PlatformScope
from keisan.domain.alert import Alert
from keisan.domain.delivery import Delivery, DeliveryState
from keisan.domain.errors import NotFound
from keisan.domain.event import EventDraft
from keisan.domain.ids import WebhookId
from keisan.domain.limits import DELIVERY_LIFE_S
from keisan.domain.webhook import Webhook, WebhookState, derive_secret, list_salts, sign_body
from keisan.kit.outbound import Outbound, OutboundFailed, OutboundRefused
from keisan.kit.retry import Backoff
from keisan.storage.base import Transaction
from keisan.wire.alert import AlertView

DELIVERY_LIFE = timedelta(seconds=DELIVERY_LIFE_S)
ANSWER_CHARACTERS_MAX = 200


@dataclass(frozen=True, slots=True)
class WaitingAlert:
    """The first delivery that a webhook waits for, and what it delivers; None: nothing waits."""

    webhook: Webhook
    delivery: Delivery | None = None
    alert: Alert | None = None


@dataclass(frozen=True, slots=True)
class WebhookChange:
    """What is to be sent now, None for nothing, and when to look again if nothing is; `answer` once it was sent."""

    webhook: Webhook
    delivery: Delivery | None = None
    alert: Alert | None = None
    look_again_at: datetime | None = None
    is_taken: bool = False
    answer: str = ""


@dataclass(frozen=True, slots=True)
class WebhookReconciler:
    """Sends through `outbound`; a try that failed is repeated after a wait of `backoff`."""

    control: Control
    outbound: Outbound
    backoff: Backoff = field(default_factory=lambda: Backoff(first_s=5.0, factor=2.0, most_s=3600.0))
    random: Random = field(default_factory=Random)

    async def load(self, transaction: Transaction, noun_id: UUID) -> WaitingAlert | None:
        """Return the webhook with its first pending delivery, None if there is no such webhook."""
        scope = PlatformScope()
        try:
            webhook = await transaction.webhooks.get(scope, WebhookId(noun_id))
        except NotFound:
            return None
        delivery = await transaction.deliveries.find_next(scope, webhook.id)
        alert = None if delivery is None else await transaction.alerts.get(scope, delivery.alert_id)
        return WaitingAlert(webhook, delivery, alert)

    def decide(self, state: WaitingAlert, now: datetime) -> WebhookChange:
        """Send what is due; a disabled webhook is looked at again when it changes."""
        if state.delivery is None or state.webhook.state is WebhookState.DISABLED:
            return WebhookChange(state.webhook)
        if state.delivery.next_at > now:
            return WebhookChange(state.webhook, look_again_at=state.delivery.next_at)
        return WebhookChange(state.webhook, state.delivery, state.alert)

    async def perform(self, change: WebhookChange) -> WebhookChange:
        """Send the alert, and return what its receiver said: anything but 2xx is a try that failed."""
        if change.delivery is None or change.alert is None:
            return change
        now = self.control.clock.now()
        body = AlertView.model_validate(change.alert).model_dump_json().encode()
        root = self.control.get_webhook_root()
        secrets = tuple(derive_secret(root, change.webhook.id, salt) for salt in list_salts(change.webhook, now))
        headers = {
            "content-type": "application/json",
            "keisan-alert-id": str(change.alert.id),
            "keisan-alert-sequence": str(change.delivery.sequence),
            "keisan-signature": sign_body(secrets, body, int(now.timestamp())),
        }
        try:
            code = await self.outbound.post(change.webhook.url, body, headers)
        except (OutboundRefused, OutboundFailed) as fault:
            return replace(change, answer=str(fault)[:ANSWER_CHARACTERS_MAX])
        return replace(change, answer=f"HTTP {code}", is_taken=200 <= code < 300)

    async def apply(self, transaction: Transaction, change: WebhookChange, now: datetime) -> datetime | None:
        """Write what came of it; look again at once for the next one, or when this one is due again.

        Raises VersionMismatch if the delivery was changed since the load.
        """
        if change.delivery is None:
            return change.look_again_at
        after = self._judge(change.delivery, change, now)
        await transaction.deliveries.update(after)
        if after.state is DeliveryState.DEAD:
            detail = {"webhook_id": str(after.webhook_id), "sequence": str(after.sequence), "answer": after.last_answer}
            await transaction.events.append(EventDraft(CONTROL_ACTOR, "delivery.dead", after.id, detail))
        return after.next_at if after.state is DeliveryState.PENDING else now

    def _judge(self, seen: Delivery, change: WebhookChange, now: datetime) -> Delivery:
        tried = replace(seen, attempt_count=seen.attempt_count + 1, last_answer=change.answer, version=seen.version + 1)
        if change.is_taken:
            return replace(tried, state=DeliveryState.DELIVERED)
        if now >= seen.wanted_since + DELIVERY_LIFE:
            return replace(tried, state=DeliveryState.DEAD)
        wait_s = self.backoff.compute_wait_s(tried.attempt_count, self.random)
        return replace(tried, next_at=now + timedelta(seconds=wait_s))
