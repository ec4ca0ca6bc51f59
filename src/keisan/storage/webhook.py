"""Webhooks: an organization sees its own. Salts are all that is kept of their secrets."""

from collections.abc import Sequence

from sqlalchemy import ForeignKey, Index, Table, Text, func, select

from keisan.domain.access import Scope
from keisan.domain.alert import AlertKind
from keisan.domain.ids import OrganizationId, WebhookId
from keisan.domain.webhook import Webhook, WebhookState
from keisan.storage.repository import Condition, TableRepository, Visibility, limit_to_owner
from keisan.storage.schema import EnumText, Instant, Structure, build_column, build_id, build_noun_columns, metadata


def decode_kinds(stored: Sequence[str]) -> tuple[AlertKind, ...]:
    """Return stored kinds of alerts."""
    return tuple(AlertKind(text) for text in stored)


webhook = Table(
    "webhook",
    metadata,
    *build_noun_columns(),
    # Null: the platform's own.
    build_id("organization_id", ForeignKey("organization.id"), is_nullable=True),
    build_column("url", Text()),
    build_column("kinds", Structure(list, decode_kinds)),
    build_column("state", EnumText(WebhookState)),
    build_column("salt", Text()),
    build_column("other_salt", Text()),
    build_column("rotated_at", Instant(), is_nullable=True),
    Index(None, "organization_id"),
)


class WebhookRepository(TableRepository[Webhook, WebhookId]):
    """Webhooks by id and by who hears."""

    table = webhook
    noun_type = Webhook
    visibility = Visibility(organization=limit_to_owner(webhook.c.organization_id))

    async def list_hearing(self, scope: Scope, organization_id: OrganizationId | None) -> Sequence[Webhook]:
        """Return the webhooks of an organization and those of the platform."""
        own = match_owner(None)
        return await self._list_where(scope, own if organization_id is None else own | match_owner(organization_id))

    async def count_owned(self, scope: Scope, organization_id: OrganizationId | None) -> int:
        """Return how many webhooks an organization has, or the platform for None."""
        counted = select(func.count().label("count")).select_from(webhook)
        row = await self._connection.fetch_first(
            counted.where(self.visibility.limit(scope), match_owner(organization_id))
        )
        return 0 if row is None else int(row["count"])


def match_owner(organization_id: OrganizationId | None) -> Condition:
    """Return the condition on the webhooks of an organization, or on those of the platform."""
    owner = webhook.c.organization_id
    return owner.is_(None) if organization_id is None else owner == organization_id
