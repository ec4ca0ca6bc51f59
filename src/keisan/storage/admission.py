"""Admissions: an organization sees its own."""

from collections.abc import Sequence

from sqlalchemy import ForeignKey, Index, Table, Text, select

from keisan.domain.access import Scope
from keisan.domain.admission import Admission
from keisan.domain.ids import AdmissionId, OrganizationId, PlatformId
from keisan.storage.repository import TableRepository, Visibility, limit_to_owner
from keisan.storage.schema import ExactInteger, Instant, build_column, build_id, build_noun_columns, metadata

admission = Table(
    "admission",
    metadata,
    *build_noun_columns(),
    build_id("organization_id", ForeignKey("organization.id")),
    build_column("counterparty_id", Text()),
    build_column("currency", Text()),
    build_column("policy", Text()),
    build_column("credit_nano_max", ExactInteger(), is_nullable=True),
    build_column("ended_at", Instant(), is_nullable=True),
    Index(None, "organization_id", "counterparty_id"),
)


class AdmissionRepository(TableRepository[Admission, AdmissionId]):
    """Admissions by id and by where they hold."""

    table = admission
    noun_type = Admission
    visibility = Visibility(organization=limit_to_owner(admission.c.organization_id))

    async def find(
        self, scope: Scope, organization_id: OrganizationId, counterparty_id: PlatformId
    ) -> Admission | None:
        """Return the one that was made last, ended or not; None if there was never one."""
        wanted = select(*self._columns()).where(
            self.visibility.limit(scope),
            admission.c.organization_id == organization_id,
            admission.c.counterparty_id == counterparty_id,
        )
        row = await self._connection.fetch_first(wanted.order_by(admission.c.id.desc()).limit(1))
        return None if row is None else self._to_noun(row)

    async def list_in_force(self, scope: Scope, organization_id: OrganizationId) -> Sequence[Admission]:
        """Return where an organization is admitted now."""
        return await self._list_where(
            scope, admission.c.organization_id == organization_id, admission.c.ended_at.is_(None)
        )
