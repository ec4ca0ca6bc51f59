"""What every command of the control plane works with: where state is kept, whose platform it is, and time."""

from dataclasses import dataclass

from keisan.domain.access import Principal
from keisan.domain.errors import VersionMismatch
from keisan.domain.ids import PlatformId
from keisan.kit.clock import Clock
from keisan.storage.base import Storage

CONTROL_ACTOR = "control"


@dataclass(frozen=True, slots=True)
class Control:
    """Built once per process by daemon and passed on; holds no state of its own."""

    storage: Storage
    clock: Clock
    platform_id: PlatformId


def name_actor(principal: Principal) -> str:
    """Return how the audit log names the holder of a key."""
    return f"key:{principal.id}"


def check_version(stored: int, expected: int) -> None:
    """Raise VersionMismatch unless the asker saw the version that is stored."""
    if stored != expected:
        raise VersionMismatch(f"the stored version is {stored}, If-Match names {expected}")
