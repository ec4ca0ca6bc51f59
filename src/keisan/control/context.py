"""What every command of the control plane works with: where state is kept, whose platform it is, and time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from keisan.control.link_bell import LinkBell
from keisan.control.link_board import LinkBoard
from keisan.domain.access import Principal
from keisan.domain.catalog import Catalog
from keisan.domain.challenge_rule import ChallengeTerms
from keisan.domain.chip import Chip
from keisan.domain.device import DeviceTerms
from keisan.domain.errors import InvariantBroken, StateConflict, VersionMismatch
from keisan.domain.ids import PlatformId
from keisan.domain.key import Secret
from keisan.domain.key_chain import Verify
from keisan.federation.identity import LinkIdentity
from keisan.kit.clock import Clock
from keisan.kit.http import HttpTarget
from keisan.kit.signature import Signer, is_signed_by
from keisan.ledger.journal import Journal
from keisan.storage.base import Storage
from keisan.storage.base_archive import Archive
from keisan.streams.base import Streams

CONTROL_ACTOR = "control"


@dataclass(frozen=True, slots=True)
class Control:
    """Built once per process by daemon and passed on; holds no state of its own. `catalog` is what ships with keisan.

    `door_root` is what the secrets of doors are made of, and `webhook_root` those of webhooks: no database holds them, and
    None makes none. `signer` holds the platform's first key, `identity`
    what it is to other platforms. `is_insecure` lets webhooks lead to this host itself, also without TLS.
    `archive` is where usage records are kept for analysis. `device_terms` say when a device is suspect.
    `challenge_terms` are those on which challenged devices are judged. `find_gateway` tells where calls of the platform's own
    are answered, without a key; None if it knows no gateway. `link_url` is where children dial, empty for a
        platform that takes none, and `gateway_address` where gateways of other platforms reach this one's (host:port); `link_bell` is
    rung when something was written for a neighbour, over `link_board` neighbours are asked, and
    `verify` tells whether a signature holds. `streams` are where links read what was committed for them.
    """

    storage: Storage
    clock: Clock
    platform_id: PlatformId
    catalog: Catalog = field(default_factory=Catalog)
    door_root: Secret | None = None
    webhook_root: Secret | None = None
    signer: Signer | None = None
    identity: LinkIdentity | None = None
    is_insecure: bool = False
    archive: Archive | None = None
    device_terms: DeviceTerms = field(default_factory=DeviceTerms)
    challenge_terms: ChallengeTerms = field(default_factory=ChallengeTerms)
    find_gateway: Callable[[], HttpTarget | None] = lambda: None
    link_url: str = ""
    gateway_address: str = ""
    link_bell: LinkBell = field(default_factory=LinkBell)
    link_board: LinkBoard = field(default_factory=LinkBoard)
    verify: Verify = is_signed_by
    streams: Streams | None = None

    @property
    def chips(self) -> Mapping[str, Chip]:
        """Return the chips of the catalogue, by id."""
        return self.catalog.chips

    @property
    def journal(self) -> Journal:
        """Return the platform's journal; raises InvariantBroken where daemon gave nothing to sign it with."""
        if self.signer is None:
            raise InvariantBroken("this process has no key to sign the journal with")
        return Journal(self.platform_id, self.clock, self.signer)

    def get_identity(self) -> LinkIdentity:
        """Return what the platform is to others; raises InvariantBroken where daemon gave none."""
        if self.identity is None:
            raise InvariantBroken("this process has no identity for other platforms")
        return self.identity

    def get_archive(self) -> Archive:
        """Return the archive of usage; raises InvariantBroken where daemon gave none."""
        if self.archive is None:
            raise InvariantBroken("this process has no archive")
        return self.archive

    def get_streams(self) -> Streams:
        """Return the streams of links; raises InvariantBroken where daemon gave none."""
        if self.streams is None:
            raise InvariantBroken("this process has no streams")
        return self.streams

    def get_door_root(self) -> Secret:
        """Return the root of the doors' secrets; raises InvariantBroken where daemon gave none."""
        if self.door_root is None:
            raise InvariantBroken("this process has no root for the secrets of doors")
        return self.door_root

    def get_webhook_root(self) -> Secret:
        """Return the root of the webhooks' secrets; raises InvariantBroken where daemon gave none."""
        if self.webhook_root is None:
            raise InvariantBroken("this process has no root for the secrets of webhooks")
        return self.webhook_root


def name_actor(principal: Principal) -> str:
    """Return how the audit log names the holder of a key."""
    return f"key:{principal.id}"


def check_version(stored: int, expected: int) -> None:
    """Raise VersionMismatch unless the asker saw the version that is stored."""
    if stored != expected:
        raise VersionMismatch(f"the stored version is {stored}, If-Match names {expected}")


def check_own(control: Control, platform_id: PlatformId) -> None:
    """Raise StateConflict for what is another platform's: its home alone changes a guest."""
    if platform_id != control.platform_id:
        raise StateConflict("this belongs to an organization of another platform, which alone changes it")
