"""Alerts: an organization sees its own, and none ever changes."""

from sqlalchemy import ForeignKey, Index, Table, Text

from keisan.domain.alert import Alert, AlertKind
from keisan.domain.ids import AlertId
from keisan.storage.repository import FixedRepository, Visibility, limit_to_owner
from keisan.storage.schema import EnumText, Instant, Structure, build_column, build_id, metadata

alert = Table(
    "alert",
    metadata,
    build_id("id", is_primary=True),
    build_column("platform_id", Text()),
    # Null: for the platform alone.
    build_id("organization_id", ForeignKey("organization.id"), is_nullable=True),
    build_column("kind", EnumText(AlertKind)),
    build_id("subject_id"),
    build_column("detail", Structure(dict, dict)),
    build_column("created_at", Instant()),
    Index(None, "organization_id", "id"),
)


class AlertRepository(FixedRepository[Alert, AlertId]):
    """Alerts by id."""

    table = alert
    noun_type = Alert
    visibility = Visibility(organization=limit_to_owner(alert.c.organization_id))
