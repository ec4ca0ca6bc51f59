"""What a site's devices come to as a digest: computed once for each count of them that frames name."""

from dataclasses import dataclass, field

from keisan.domain.inventory import digest_devices
from keisan.wire.inventory import Inventory

# Frames of a backlog may be older than the last growth or two; more counts than these at a time are nobody's habit.
COUNTS_MAX = 16


@dataclass(slots=True)
class DeviceDigests:
    """Digests of the first so many devices of an inventory, kept until another is asked about."""

    _inventory: Inventory | None = None
    _known: dict[int, str] = field(default_factory=dict)

    def find(self, inventory: Inventory, count: int) -> str:
        """Return the digest of the inventory's first `count` devices."""
        if inventory is not self._inventory:
            self._inventory = inventory
            self._known.clear()
        found = self._known.get(count)
        if found is None:
            if len(self._known) >= COUNTS_MAX:
                self._known.clear()
            found = self._known[count] = digest_devices(inventory.hardware_ids.slice(0, count).to_pylist())
        return found
