"""The storage contract of top-ups, and of alerts on their way to webhooks; the whole of it is in base.py."""

from collections.abc import Sequence
from typing import Protocol

from keisan.domain.access import Scope
from keisan.domain.alert import Alert
from keisan.domain.delivery import Delivery
from keisan.domain.ids import AlertId, DeliveryId, EntryId, OrganizationId, WebhookId
from keisan.domain.page import PageOf, PageRequest
from keisan.domain.top_up import TopUp
from keisan.domain.webhook import Webhook
from keisan.storage.base_noun import Repository


class TopUpRepository(Repository[TopUp, EntryId], Protocol):
    """Top-ups and credit notes; an organization sees its own."""

    async def lock(self, scope: Scope, top_up_id: EntryId) -> TopUp:
        """Return it as `get` does, locked until commit: before any account is locked."""
        ...


class WebhookRepository(Repository[Webhook, WebhookId], Protocol):
    """Webhooks; an organization sees its own, and the platform's own are seen by the platform alone."""

    async def list_hearing(self, scope: Scope, organization_id: OrganizationId | None) -> Sequence[Webhook]:
        """Return the webhooks of an organization and those of the platform, which hear of its alerts; None: the latter."""
        ...

    async def count_owned(self, scope: Scope, organization_id: OrganizationId | None) -> int:
        """Return how many webhooks an organization has, or the platform for None."""
        ...


class AlertRepository(Protocol):
    """Alerts; an organization sees its own, the platform all. They never change."""

    async def get(self, scope: Scope, alert_id: AlertId) -> Alert: ...
    async def list(self, scope: Scope, page: PageRequest) -> PageOf[Alert]: ...
    async def insert(self, alert: Alert) -> None: ...


class DeliveryRepository(Repository[Delivery, DeliveryId], Protocol):
    """Deliveries; an organization sees those to its own webhooks."""

    async def list_webhook(self, scope: Scope, webhook_id: WebhookId, page: PageRequest) -> PageOf[Delivery]:
        """Return a page of a webhook's deliveries."""
        ...

    async def get_last_sequence(self, scope: Scope, webhook_id: WebhookId) -> int:
        """Return the highest sequence of a webhook's deliveries, 0 without any. Whoever counts on has locked the head."""
        ...

    async def find_next(self, scope: Scope, webhook_id: WebhookId) -> Delivery | None:
        """Return the pending delivery of a webhook with the lowest sequence."""
        ...
