"""The platform on the wire."""

from datetime import datetime

from keisan.domain.platform import PlatformKind
from keisan.wire.base import WireView


class PlatformView(WireView):
    """This platform; `public_key` is hex, `id` its SHA-256."""

    id: str
    name: str
    kind: PlatformKind
    region: str | None
    public_key: str
    snapshot_version: int
    version: int
    created_at: datetime


class HealthView(WireView):
    """`status` is "ok" when the database answers and the schema is the one this release expects."""

    status: str
    platform_id: str
    version: str
