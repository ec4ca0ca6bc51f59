"""The platform on the wire."""

from datetime import datetime

from pydantic import Field

from keisan.domain.platform import PlatformKind
from keisan.wire.base import Amounts, AmountsChange, WireChange, WireView


class PlatformUpdate(WireChange):
    """A change of what is named; needs If-Match.

    `four_eyes_nano` is, by currency, the largest amount that one admin alone puts into a wallet; null asks for no second.
    """

    four_eyes_nano: AmountsChange = Field(default_factory=dict)


class PlatformView(WireView):
    """This platform; `public_key` is hex, `id` its SHA-256."""

    id: str
    name: str
    kind: PlatformKind
    region: str | None
    public_key: str
    snapshot_version: int
    four_eyes_nano: Amounts = Field(default_factory=dict)
    version: int
    created_at: datetime


class HealthView(WireView):
    """`status` is "ok" when the database answers and the schema is the one this release expects."""

    status: str
    platform_id: str
    version: str
