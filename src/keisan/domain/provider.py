"""A provider: the organization that owns sites and is paid."""

from dataclasses import dataclass
from datetime import datetime

from keisan.domain.ids import PlatformId, ProviderId


@dataclass(frozen=True, slots=True)
class Provider:
    """`name` is unique on its platform."""

    id: ProviderId
    platform_id: PlatformId
    name: str
    version: int
    created_at: datetime
