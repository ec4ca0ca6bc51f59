"""Deductions: an organization sees the tax that applies to it, a provider the margin. Written once and never changed."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Table, Text, UniqueConstraint, func, select

from keisan.domain.access import Scope
from keisan.domain.deduction import EVERYBODY, Deduction, DeductionKind
from keisan.domain.ids import DeductionId
from keisan.storage.repository import Condition, FixedRepository, Visibility
from keisan.storage.schema import AnyColumn, EnumText, Instant, build_column, build_id, build_noun_columns, metadata

deduction = Table(
    "deduction",
    metadata,
    *build_noun_columns(),
    build_column("kind", EnumText(DeductionKind)),
    # Whose it is, as one text: nulls are never equal, so the two ids alone could not make a version unique.
    build_column("subject", Text()),
    build_id("provider_id", ForeignKey("provider.id"), is_nullable=True),
    build_id("organization_id", ForeignKey("organization.id"), is_nullable=True),
    build_column("rate_ppm", BigInteger(), is_nullable=True),
    build_column("effective_from", Instant()),
    build_column("effective_until", Instant(), is_nullable=True),
    UniqueConstraint("kind", "subject", "version"),
)
FIELDS = tuple(column for column in deduction.columns if column.name != "subject")


def limit_to_tax(organization_id: UUID) -> Condition:
    """Return the condition of an organization: its own tax and everybody's."""
    return (deduction.c.kind == DeductionKind.TAX) & deduction.c.subject.in_((str(organization_id), EVERYBODY))


def limit_to_margin(provider_id: UUID) -> Condition:
    """Return the condition of a provider: its own margin and everybody's."""
    return (deduction.c.kind == DeductionKind.MARGIN) & deduction.c.subject.in_((str(provider_id), EVERYBODY))


class DeductionRepository(FixedRepository[Deduction, DeductionId]):
    """Deductions by id and by subject."""

    table = deduction
    noun_type = Deduction
    unique = "version"
    visibility = Visibility(organization=limit_to_tax, provider=limit_to_margin)

    def _columns(self) -> Sequence[AnyColumn]:
        return FIELDS

    def _to_row(self, noun: Deduction) -> dict[str, object]:
        return super()._to_row(noun) | {"subject": noun.subject}

    async def get_last_version(self, scope: Scope, kind: DeductionKind, subject: str) -> int:
        """Return the number of the newest version of a subject's deduction, 0 where there is none."""
        is_wanted = (deduction.c.kind == kind) & (deduction.c.subject == subject)
        newest = select(func.max(deduction.c.version).label("version")).where(self.visibility.limit(scope), is_wanted)
        row = await self._connection.fetch_first(newest)
        return (row["version"] if row else None) or 0

    async def list_all(self, scope: Scope) -> Sequence[Deduction]:
        """Return all versions in scope, in order of id."""
        return await self._list_where(scope)
