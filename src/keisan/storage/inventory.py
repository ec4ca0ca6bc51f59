"""Inventories of sites: a row for each site that ever told one."""

from collections.abc import Sequence

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, Table, Text

from keisan.domain.access import Scope
from keisan.domain.ids import SiteId
from keisan.domain.inventory import StoredInventory
from keisan.storage.repository import FixedRepository, Visibility
from keisan.storage.schema import Instant, build_column, build_id, metadata
from keisan.storage.site import limit_to_sites

inventory = Table(
    "inventory",
    metadata,
    build_id("id", ForeignKey("site.id"), is_primary=True),
    build_column("platform_id", Text()),
    build_column("incarnation", Text()),
    build_column("version", BigInteger()),
    build_column("device_count", BigInteger()),
    build_column("body", LargeBinary()),
    build_column("received_at", Instant()),
)
_CHANGED = ("incarnation", "version", "device_count", "body", "received_at")


class InventoryRepository(FixedRepository[StoredInventory, SiteId]):
    """Inventories by their sites' ids."""

    table = inventory
    noun_type = StoredInventory
    unique = "site"
    visibility = Visibility(provider=limit_to_sites(inventory.c.id))

    async def list_all(self, scope: Scope) -> Sequence[StoredInventory]:
        """Return all inventories in scope."""
        return await self._list_where(scope)

    async def put(self, stored: StoredInventory) -> None:
        """Write an inventory in place of the site's last one."""
        statement = self._connection.upsert(inventory, lambda excluded: {name: excluded[name] for name in _CHANGED})
        await self._connection.change(statement, [self._to_row(stored)])
