"""Sites: a provider sees its own, and of other tables what stands on them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Table, Text, UniqueConstraint, or_, select, update

from keisan.domain.access import Scope
from keisan.domain.engine import EngineProfile, RunningUsage
from keisan.domain.ids import SiteId
from keisan.domain.site import Site
from keisan.domain.verdict import Verdict
from keisan.storage.repository import Limit, TableRepository, Visibility, limit_to_owner
from keisan.storage.schema import (
    AnyColumn,
    EnumText,
    Instant,
    Structure,
    build_column,
    build_id,
    build_noun_columns,
    metadata,
)

StoredProfile = Mapping[str, Any]


def encode_engines(engines: Mapping[str, EngineProfile]) -> dict[str, dict[str, object]]:
    """Return engine profiles as JSON knows them."""
    return {name: asdict(profile) for name, profile in engines.items()}


def decode_engines(stored: Mapping[str, StoredProfile]) -> dict[str, EngineProfile]:
    """Return what encode_engines was given."""
    return {name: _decode_profile(fields) for name, fields in stored.items()}


site = Table(
    "site",
    metadata,
    *build_noun_columns(),
    build_id("provider_id", ForeignKey("provider.id")),
    build_column("name", Text()),
    build_column("region", Text()),
    build_column("engines", Structure(encode_engines, decode_engines)),
    build_column("verdict", EnumText(Verdict)),
    build_column("reported_at", Instant(), is_nullable=True),
    UniqueConstraint("provider_id", "name"),
)


def limit_to_sites(site_column: AnyColumn) -> Limit:
    """Return the limit of a provider that sees the rows on its sites."""
    return lambda provider_id: site_column.in_(select(site.c.id).where(site.c.provider_id == provider_id))


class SiteRepository(TableRepository[Site, SiteId]):
    """Sites by id."""

    table = site
    noun_type = Site
    unique = "name"
    visibility = Visibility(provider=limit_to_owner(site.c.provider_id))
    unwritten = frozenset({"reported_at"})

    async def list_all(self, scope: Scope) -> Sequence[Site]:
        """Return all sites in scope."""
        return await self._list_where(scope)

    async def mark_reported(self, site_id: SiteId, reported_at: datetime) -> None:
        """Note that the site's agent spoke, never backwards."""
        is_later = or_(site.c.reported_at.is_(None), site.c.reported_at < reported_at)
        statement = update(site).where(site.c.id == site_id, is_later).values(reported_at=reported_at)
        await self._connection.change(statement)


def _decode_profile(fields: StoredProfile) -> EngineProfile:
    return EngineProfile(**{**fields, "running_usage": RunningUsage(fields["running_usage"])})
