"""An organization: the industry user that holds projects, keys and a wallet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from keisan.domain.call_limits import CallLimits
from keisan.domain.ids import OrganizationId, PlatformId


class Billing(StrEnum):
    """Whether an organization pays before it calls, and is bounded by its wallet, or after."""

    PREPAID = "prepaid"
    POSTPAID = "postpaid"


@dataclass(frozen=True, slots=True)
class Organization:
    """`name` is unique on its platform; `version` rises by one with each change and is the ETag.

    A gateway whose snapshot is older than `snapshot_age_s_max` no longer serves it; None serves it at any age (R10).
    `time_zone` is the IANA name of the one in which its months begin. `policy` is the normalised text of a policy, empty for none.
    `wallet_low_nano` is, by currency, the balance of its wallet below which it wants to be told.
    """

    id: OrganizationId
    platform_id: PlatformId
    name: str
    billing: Billing
    snapshot_age_s_max: int | None
    time_zone: str
    limits: CallLimits
    policy: str
    version: int
    created_at: datetime
    wallet_low_nano: Mapping[str, int] = field(default_factory=dict, hash=False)
