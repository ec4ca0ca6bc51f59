"""Devices: a provider sees those of its sites, organizations see none."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Table, Text, UniqueConstraint, select

from keisan.domain.access import Scope
from keisan.domain.device import Device, DeviceUse
from keisan.domain.ids import SiteId
from keisan.domain.verdict import Verdict
from keisan.storage.repository import TableRepository, Visibility
from keisan.storage.schema import EnumText, Instant, Structure, build_column, build_id, build_noun_columns, metadata
from keisan.storage.site import limit_to_sites


def copy_facts(facts: Mapping[str, str]) -> dict[str, str]:
    """Return facts as JSON knows them, and back."""
    return dict(facts)


device = Table(
    "device",
    metadata,
    *build_noun_columns(),
    build_id("site_id", ForeignKey("site.id")),
    build_id("node_id", ForeignKey("node.id")),
    build_column("hardware_id", Text()),
    build_column("chip", Text()),
    build_column("name", Text()),
    build_column("memory_bytes", BigInteger()),
    build_column("facts", Structure(copy_facts, copy_facts)),
    build_column("verdict", EnumText(Verdict)),
    build_column("use", EnumText(DeviceUse)),
    build_column("use_reason", Text()),
    build_column("use_actor", Text()),
    build_column("use_changed_at", Instant(), is_nullable=True),
    build_column("reported_at", Instant()),
    UniqueConstraint("site_id", "hardware_id"),
)


class DeviceRepository(TableRepository[Device, UUID]):
    """Devices by id and by site."""

    table = device
    noun_type = Device
    unique = "hardware id on its site"
    visibility = Visibility(provider=limit_to_sites(device.c.site_id))

    async def list_site(self, scope: Scope, site_id: SiteId) -> Sequence[Device]:
        """Return the devices of a site."""
        return await self._list_where(scope, device.c.site_id == site_id)

    async def list_closed(self, scope: Scope) -> Sequence[tuple[SiteId, str, DeviceUse]]:
        """Return the sites and hardware ids of devices that people have closed to new work, and what each is used for."""
        wanted = select(device.c.site_id, device.c.hardware_id, device.c.use).where(
            self.visibility.limit(scope), device.c.use != DeviceUse.OPEN
        )
        return [(row["site_id"], row["hardware_id"], row["use"]) for row in await self._connection.fetch_all(wanted)]
