"""An admission: an organization may call at another platform too, within a narrowed policy, on credit that its home leases.

The other platform hears the digests of its keys, never keys. It ends by its home's signed word alone.
"""

from dataclasses import dataclass
from datetime import datetime

from keisan.domain.ids import AdmissionId, OrganizationId, PlatformId


@dataclass(frozen=True, slots=True)
class Admission:
    """`counterparty_id` is the platform where the organization is admitted, `platform_id` its home, which is this platform.

    `policy` narrows the organization's own, as normalised text. `credit_nano_max` is the most that is leased to that platform at
    a time in `currency`; None bounds it by the wallet and budgets alone, and whoever pays afterwards needs one.
    """

    id: AdmissionId
    platform_id: PlatformId
    organization_id: OrganizationId
    counterparty_id: PlatformId
    currency: str
    policy: str
    credit_nano_max: int | None
    version: int
    created_at: datetime
    ended_at: datetime | None = None
