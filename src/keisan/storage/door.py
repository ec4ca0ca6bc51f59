"""Doors of sites: a row for each site that ever had one. A provider sees those of its own sites, organizations see none."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import BigInteger, Boolean, ForeignKey, Table, Text, update

from keisan.domain.access import Scope
from keisan.domain.door import Door, DoorPlace, DoorStage
from keisan.domain.ids import SiteId
from keisan.storage.repository import TableRepository, Visibility
from keisan.storage.schema import EnumText, Instant, Structure, build_column, build_id, metadata
from keisan.storage.site import limit_to_sites


def decode_place(stored: Mapping[str, Any]) -> DoorPlace:
    """Return a stored place."""
    return DoorPlace(**stored)


door = Table(
    "door",
    metadata,
    build_id("id", ForeignKey("site.id"), is_primary=True),
    build_column("platform_id", Text()),
    build_column("place", Structure(asdict, decode_place), is_nullable=True),
    build_column("stage", EnumText(DoorStage)),
    build_column("shown_salt", Text()),
    build_column("other_salt", Text()),
    build_column("is_rotation_wanted", Boolean()),
    build_column("moved_at", Instant(), is_nullable=True),
    build_column("moved_version", BigInteger()),
    build_column("version", BigInteger()),
    build_column("created_at", Instant()),
)


class DoorRepository(TableRepository[Door, SiteId]):
    """Doors by their sites' ids."""

    table = door
    noun_type = Door
    unique = "site"
    visibility = Visibility(provider=limit_to_sites(door.c.id))

    async def find(self, scope: Scope, site_id: SiteId) -> Door | None:
        """Return the door of a site, None if it never had one."""
        return await self._find(scope, door.c.id == site_id)

    async def list_all(self, scope: Scope) -> Sequence[Door]:
        """Return all doors in scope."""
        return await self._list_where(scope)

    async def want_rotations(self, scope: Scope, site_ids: Iterable[SiteId] | None) -> None:
        """Ask for another secret where none is on its way yet."""
        is_wanted = self.visibility.limit(scope) & (door.c.stage != DoorStage.ARRIVING)
        if site_ids is not None:
            is_wanted &= door.c.id.in_(list(site_ids))
        values = {"is_rotation_wanted": True, "version": door.c.version + 1}
        await self._connection.change(update(door).where(is_wanted).values(values))
