"""Deliveries of alerts: an organization sees those to its own webhooks."""

from sqlalchemy import BigInteger, ForeignKey, Index, Table, Text, UniqueConstraint, func, select

from keisan.domain.access import Scope
from keisan.domain.delivery import Delivery, DeliveryState
from keisan.domain.ids import DeliveryId, WebhookId
from keisan.domain.page import PageOf, PageRequest
from keisan.storage.repository import TableRepository, Visibility, cut_page, limit_to_owner, order_page
from keisan.storage.schema import EnumText, Instant, build_column, build_id, build_noun_columns, metadata

delivery = Table(
    "delivery",
    metadata,
    *build_noun_columns(),
    build_id("organization_id", ForeignKey("organization.id"), is_nullable=True),
    build_id("webhook_id", ForeignKey("webhook.id")),
    build_column("sequence", BigInteger()),
    build_id("alert_id", ForeignKey("alert.id")),
    build_column("state", EnumText(DeliveryState)),
    build_column("attempt_count", BigInteger()),
    build_column("wanted_since", Instant()),
    build_column("next_at", Instant()),
    build_column("last_answer", Text()),
    UniqueConstraint("webhook_id", "sequence"),
    Index(None, "webhook_id", "state", "sequence"),
)


class DeliveryRepository(TableRepository[Delivery, DeliveryId]):
    """Deliveries by id and by webhook."""

    table = delivery
    noun_type = Delivery
    unique = "sequence"
    visibility = Visibility(organization=limit_to_owner(delivery.c.organization_id))

    async def list_webhook(self, scope: Scope, webhook_id: WebhookId, page: PageRequest) -> PageOf[Delivery]:
        """Return a page of a webhook's deliveries."""
        statement = self._select(scope).where(delivery.c.webhook_id == webhook_id)
        rows = await self._connection.fetch_all(order_page(statement, delivery.c.id, page))
        return cut_page([self._to_noun(row) for row in rows], page, lambda noun: noun.id)

    async def get_last_sequence(self, scope: Scope, webhook_id: WebhookId) -> int:
        """Return the highest sequence of a webhook's deliveries, 0 without any."""
        highest = select(func.max(delivery.c.sequence).label("highest"))
        row = await self._connection.fetch_first(
            highest.where(self.visibility.limit(scope), delivery.c.webhook_id == webhook_id)
        )
        return 0 if row is None or row["highest"] is None else int(row["highest"])

    async def find_next(self, scope: Scope, webhook_id: WebhookId) -> Delivery | None:
        """Return the pending delivery of a webhook with the lowest sequence."""
        is_waiting = (delivery.c.webhook_id == webhook_id) & (delivery.c.state == DeliveryState.PENDING)
        statement = self._select(scope).where(is_waiting).order_by(delivery.c.sequence).limit(1)
        row = await self._connection.fetch_first(statement)
        return None if row is None else self._to_noun(row)
