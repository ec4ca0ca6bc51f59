"""Organizations: an organization sees itself only."""

from collections.abc import Iterable, Sequence

from sqlalchemy import BigInteger, Table, Text, UniqueConstraint

from keisan.domain.access import Scope
from keisan.domain.ids import OrganizationId
from keisan.domain.organization import Billing, Organization
from keisan.storage.call_limits import build_limits_column
from keisan.storage.repository import TableRepository, Visibility, limit_to_owner
from keisan.storage.schema import (
    EnumText,
    Structure,
    build_column,
    build_noun_columns,
    decode_amounts,
    encode_amounts,
    metadata,
)

organization = Table(
    "organization",
    metadata,
    *build_noun_columns(),
    build_column("name", Text()),
    build_column("billing", EnumText(Billing)),
    build_column("snapshot_age_s_max", BigInteger(), is_nullable=True),
    build_column("time_zone", Text()),
    build_limits_column(),
    build_column("policy", Text()),
    build_column("wallet_low_nano", Structure(encode_amounts, decode_amounts)),
    UniqueConstraint("platform_id", "name"),
)


class OrganizationRepository(TableRepository[Organization, OrganizationId]):
    """Organizations by id."""

    table = organization
    noun_type = Organization
    unique = "name"
    visibility = Visibility(organization=limit_to_owner(organization.c.id))

    async def list_by_ids(self, scope: Scope, ids: Iterable[OrganizationId]) -> Sequence[Organization]:
        """Return the organizations with these ids."""
        return await self._list_ids(scope, ids)

    async def list_all(self, scope: Scope) -> Sequence[Organization]:
        """Return all organizations in scope."""
        return await self._list_where(scope)
