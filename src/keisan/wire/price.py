"""Prices on the wire: decimal strings of nano-units per 1,000,000 tokens."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints

from keisan.domain.price import TokenClass
from keisan.wire.base import NanoText, WireInput, WireView

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class PriceCreate(WireInput):
    """A new version of a model's prices; calls admitted from now on are billed by it."""

    model_id: UUID
    currency: Currency
    nano_per_million: dict[TokenClass, NanoText]


class PriceView(WireView):
    """A price version as the API shows it."""

    id: UUID
    platform_id: str
    model_id: UUID
    version: int
    currency: str
    nano_per_million: dict[TokenClass, NanoText]
    created_at: datetime
