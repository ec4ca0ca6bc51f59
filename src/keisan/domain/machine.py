"""Machine identities (R11): a gateway or a site joins once by a one-time token and owns a secret of its own."""

from dataclasses import dataclass
from datetime import datetime

from keisan.domain.access import MACHINE_RIGHTS_BY_KIND, MachineKind, PlatformScope, Principal
from keisan.domain.ids import JoinTokenId, MachineId, PlatformId, SiteId


@dataclass(frozen=True, slots=True)
class JoinToken:
    """A one-time right to join as `kind`; a site token names its site. `used_by` is set by the one machine that used it."""

    id: JoinTokenId
    platform_id: PlatformId
    kind: MachineKind
    site_id: SiteId | None
    digest: str
    created_at: datetime
    expires_at: datetime
    used_by: MachineId | None


@dataclass(frozen=True, slots=True)
class Machine:
    """A joined gateway or site agent. `acknowledged_version` is the snapshot version a gateway last said it serves."""

    id: MachineId
    platform_id: PlatformId
    kind: MachineKind
    site_id: SiteId | None
    name: str
    digest: str
    acknowledged_version: int
    seen_at: datetime | None
    version: int
    created_at: datetime
    revoked_at: datetime | None

    def to_principal(self) -> Principal:
        """Return who stands behind a request made with this machine's secret."""
        return Principal(
            id=self.id,
            scope=PlatformScope(),
            rights=MACHINE_RIGHTS_BY_KIND[self.kind],
            site_id=self.site_id,
        )
