"""An organization: the industry user that holds projects, keys and a wallet."""

from dataclasses import dataclass
from datetime import datetime

from keisan.domain.ids import OrganizationId, PlatformId


@dataclass(frozen=True, slots=True)
class Organization:
    """`name` is unique on its platform; `version` rises by one with each change and is the ETag."""

    id: OrganizationId
    platform_id: PlatformId
    name: str
    version: int
    created_at: datetime
