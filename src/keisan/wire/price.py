"""Prices on the wire: decimal strings of nano-units per 1,000,000 units of a class."""

from datetime import datetime
from uuid import UUID

from pydantic import AwareDatetime

from keisan.domain.price import TokenClass
from keisan.wire.base import Currency, NanoText, WireInput, WireView


class PriceCreate(WireInput):
    """A new version of a model's prices; calls admitted from an instant on, by default from now, are billed by it."""

    model_id: UUID
    currency: Currency
    nano_per_million: dict[TokenClass, NanoText]
    effective_from: AwareDatetime | None = None


class PriceView(WireView):
    """A price version as the API shows it."""

    id: UUID
    platform_id: str
    model_id: UUID
    version: int
    currency: str
    nano_per_million: dict[TokenClass, NanoText]
    effective_from: datetime
    created_at: datetime
