"""Organizations: an organization sees itself only."""

from sqlalchemy import Table, Text, UniqueConstraint

from keisan.domain.ids import OrganizationId
from keisan.domain.organization import Organization
from keisan.storage.repository import TableRepository, Visibility, limit_to_owner
from keisan.storage.schema import build_column, build_noun_columns, metadata

organization = Table(
    "organization",
    metadata,
    *build_noun_columns(),
    build_column("name", Text()),
    UniqueConstraint("platform_id", "name"),
)


class OrganizationRepository(TableRepository[Organization, OrganizationId]):
    """Organizations by id."""

    table = organization
    noun_type = Organization
    unique = "name"
    visibility = Visibility(organization=limit_to_owner(organization.c.id))
