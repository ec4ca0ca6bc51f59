"""Organizations on the wire."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from keisan.domain.budget import DEFAULT_TIME_ZONE
from keisan.domain.organization import Billing
from keisan.wire.base import Amounts, AmountsChange, Name, TimeZoneName, WireChange, WireInput, WireView
from keisan.wire.call_limits import Bound, CallLimitsChange, CallLimitsView
from keisan.wire.policy import PolicyText


class OrganizationCreate(WireInput):
    """A new organization. `snapshot_age_s_max` is in seconds; null lets a gateway serve it however old its snapshot is.

    In `time_zone`, an IANA name, its months begin.
    """

    name: Name
    billing: Billing = Billing.POSTPAID
    snapshot_age_s_max: Bound | None = None
    time_zone: TimeZoneName = DEFAULT_TIME_ZONE
    limits: CallLimitsChange = CallLimitsChange()
    policy: PolicyText = ""


class OrganizationUpdate(WireChange):
    """A change of what is named; needs If-Match. `wallet_low_nano` may be set by the organization's own admin.

    By currency it is the balance of its wallet below which the organization is alerted; null takes one away.
    """

    name: Name = Field(default_factory=str)
    billing: Billing = Field(default_factory=lambda: Billing.POSTPAID)
    snapshot_age_s_max: Bound | None = None
    time_zone: TimeZoneName = Field(default_factory=str)
    limits: CallLimitsChange = Field(default_factory=CallLimitsChange)
    policy: PolicyText = Field(default_factory=str)
    wallet_low_nano: AmountsChange = Field(default_factory=dict)


class OrganizationView(WireView):
    """An organization as the API shows it; `version` is the ETag."""

    id: UUID
    platform_id: str
    name: str
    billing: Billing
    snapshot_age_s_max: int | None
    time_zone: str
    limits: CallLimitsView
    policy: str
    wallet_low_nano: Amounts = Field(default_factory=dict)
    version: int
    created_at: datetime
