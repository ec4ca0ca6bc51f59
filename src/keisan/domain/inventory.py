"""An inventory: the devices of a site in the order of their dense numbers. It only grows: a number is never given twice."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

from keisan.domain.ids import PlatformId, SiteId

INVENTORY_TEXT_CHARACTERS_MAX = 256
# Agents are no adversaries here: who lies about devices can lie about their values. 64 bits tell any mistake.
DEVICE_DIGEST_BYTES = 8
_INCARNATION = re.compile(r"[A-Za-z0-9_-]{1,64}")


def is_incarnation(text: str) -> bool:
    """Tell whether a text can name an incarnation: 1 to 64 letters, digits, underlines and hyphens."""
    return _INCARNATION.fullmatch(text) is not None


def is_inventory_text(text: str) -> bool:
    """Tell whether a text can stand in an inventory: short, and without characters that a database or a terminal acts on."""
    return len(text) <= INVENTORY_TEXT_CHARACTERS_MAX and (text.isprintable() or not text)


def digest_devices(hardware_ids: Iterable[str]) -> str:
    """Return what tells whether two inventories mean the same devices by the same numbers; empty for no devices.

    Hardware ids hold no control characters, so a line end between them leaves nothing open.
    """
    lines = "\n".join(hardware_ids).encode()
    return blake2b(lines, digest_size=DEVICE_DIGEST_BYTES).hexdigest() if lines else ""


@dataclass(frozen=True, slots=True)
class SupernodeEntry:
    """A supernode of a site; `template` is the catalogue's, empty where there is none that fits.

    `members` are hardware ids in the order of the cabinet, also of devices that nobody has seen; without them its members are
    the devices that name it, in order of their numbers. `links_per_member` is of how many links a device tells that they are
    up, 0 where that is not known.
    """

    name: str
    template: str = ""
    members: tuple[str, ...] = ()
    links_per_member: int = 0


@dataclass(frozen=True, slots=True)
class InventoryHead:
    """What devices of a site share, each once; a device names its own by their places in these lists.

    `incarnation` names the inventory, `version` counts its changes from 1: what was written under an older version can
    still be read. `nodes` are hardware ids, `chips` ids of the catalogue, `names` product names.
    """

    incarnation: str
    version: int
    nodes: tuple[str, ...]
    chips: tuple[str, ...]
    names: tuple[str, ...]
    supernodes: tuple[SupernodeEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class InventoryMark:
    """How far a platform knows a site's inventory."""

    incarnation: str
    version: int
    device_count: int


@dataclass(frozen=True, slots=True)
class StoredInventory:
    """A site's inventory as the platform keeps it: its bytes, so that a platform that starts knows who is unknown.

    `id` is the site's.
    """

    id: SiteId
    platform_id: PlatformId
    incarnation: str
    version: int
    device_count: int
    body: bytes
    received_at: datetime
