"""The storage contract of telemetry: what must outlive the process that holds the live columns."""

from collections.abc import Sequence
from typing import Protocol

from keisan.domain.access import Scope
from keisan.domain.ids import SiteId
from keisan.domain.inventory import StoredInventory


class InventoryRepository(Protocol):
    """Inventories by their sites' ids; a provider sees those of its own sites, organizations see none."""

    async def get(self, scope: Scope, site_id: SiteId) -> StoredInventory: ...
    async def list_all(self, scope: Scope) -> Sequence[StoredInventory]:
        """Return all inventories in scope."""
        ...

    async def put(self, inventory: StoredInventory) -> None:
        """Write an inventory in place of the site's last one."""
        ...
