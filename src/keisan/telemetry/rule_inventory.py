"""What is taken of an inventory: a pure decision on the one that is known and the one that is told."""

from keisan.domain.errors import StateConflict
from keisan.wire.inventory import Inventory


def check_growth(known: Inventory, told: Inventory) -> None:
    """Raise StateConflict unless `told` is another incarnation, or the same one grown: no number given twice."""
    if told.head.incarnation != known.head.incarnation:
        return
    count = known.device_count
    is_grown = told.head.version >= known.head.version and told.device_count >= count
    if not is_grown or not told.hardware_ids.slice(0, count).equals(known.hardware_ids):
        text = f"inventory {known.head.incarnation} is at version {known.head.version} with {count} devices"
        raise StateConflict(f"{text}: a later one keeps their numbers; begin another incarnation to give new ones")
