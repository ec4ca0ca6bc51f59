"""Providers on the wire."""

from datetime import datetime
from uuid import UUID

from keisan.wire.base import Name, WireInput, WireView


class ProviderCreate(WireInput):
    """A new provider."""

    name: Name


class ProviderView(WireView):
    """A provider as the API shows it."""

    id: UUID
    platform_id: str
    name: str
    version: int
    created_at: datetime
