"""What every command of the control plane works with: where state is kept, whose platform it is, and time."""

from dataclasses import dataclass

from keisan.domain.ids import PlatformId
from keisan.kit.clock import Clock
from keisan.storage.base import Storage


@dataclass(frozen=True, slots=True)
class Control:
    """Built once per process by daemon and passed on; holds no state of its own."""

    storage: Storage
    clock: Clock
    platform_id: PlatformId
