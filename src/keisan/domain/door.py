"""A site's door: where gateways find it, and its secrets: at most two, made of stored salts and a root that no database holds.

steady -> arriving (the door is to let a new secret in) -> leaving (gateways show the new one; the old one is let in until
all do) -> closing (the door is to forget the old one) -> steady. A door's first secret skips from arriving to steady.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from keisan.domain import key
from keisan.domain.ids import PlatformId, SiteId
from keisan.domain.key import Secret, digest_secret

DOOR_PREFIX = "dk-keisan-"


class DoorStage(StrEnum):
    """How far a change of the secret has come."""

    STEADY = "steady"
    ARRIVING = "arriving"
    LEAVING = "leaving"
    CLOSING = "closing"


@dataclass(frozen=True, slots=True)
class DoorPlace:
    """Where a door answers. `certificates` (PEM) are trusted there and nowhere else; empty: those of each gateway's own."""

    host: str
    port: int
    is_tls: bool
    certificates: str


@dataclass(frozen=True, slots=True)
class Door:
    """`id` is its site's; `place` None: the site has none now. Gateways show the secret of `shown_salt`, empty: none yet.

    `other_salt` is the one that comes or goes, by stage. `moved_at` and `moved_version` are when gateways were told of the
    shown one, and by which snapshot.
    """

    id: SiteId
    platform_id: PlatformId
    place: DoorPlace | None
    stage: DoorStage
    shown_salt: str
    other_salt: str
    is_rotation_wanted: bool
    moved_at: datetime | None
    moved_version: int
    version: int
    created_at: datetime

    @property
    def is_told(self) -> bool:
        """Tell whether gateways know it: then they reach the site's replicas through it and by no other way."""
        return self.place is not None and bool(self.shown_salt)

    @property
    def is_rotating(self) -> bool:
        """Tell whether a secret other than the shown one opens it, or is to."""
        return self.is_rotation_wanted or self.stage is not DoorStage.STEADY


@dataclass(frozen=True, slots=True)
class DoorSight:
    """What is seen of a door when its site reports: the salts it lets in, and whether all gateways have moved on."""

    let_in: frozenset[str]
    are_gateways_moved: bool


def derive_secret(root: Secret, site_id: SiteId, salt: str) -> Secret:
    """Return the secret of a salt at one site."""
    return key.derive_secret(DOOR_PREFIX, root, site_id, salt)


def digest_salt(root: Secret, site_id: SiteId, salt: str) -> str:
    """Return the digest by which a door knows the secret of a salt."""
    return digest_secret(derive_secret(root, site_id, salt))


def list_salts(door: Door) -> tuple[str, ...]:
    """Return the salts of the secrets that a door is to let in."""
    is_other_in = door.stage in (DoorStage.ARRIVING, DoorStage.LEAVING)
    return tuple(salt for salt in (door.shown_salt, door.other_salt if is_other_in else "") if salt)


def advance_door(door: Door, sight: DoorSight, fresh_salt: str) -> Door:
    """Return a door one stage on if what is seen allows it, else as it is; its version stays."""
    match door.stage:
        case DoorStage.STEADY if door.is_rotation_wanted or not door.shown_salt:
            return replace(door, stage=DoorStage.ARRIVING, other_salt=fresh_salt, is_rotation_wanted=False)
        case DoorStage.ARRIVING if door.other_salt in sight.let_in:
            stage = DoorStage.LEAVING if door.shown_salt else DoorStage.STEADY
            return replace(door, stage=stage, shown_salt=door.other_salt, other_salt=door.shown_salt)
        case DoorStage.LEAVING if sight.are_gateways_moved:
            return replace(door, stage=DoorStage.CLOSING)
        case DoorStage.CLOSING if door.other_salt not in sight.let_in:
            return replace(door, stage=DoorStage.STEADY, other_salt="")
        case _:
            return door
