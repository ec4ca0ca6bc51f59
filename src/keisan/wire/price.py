"""Prices on the wire: decimal strings of nano-units per 1,000,000 units of a class."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, StringConstraints

from keisan.domain.price import TokenClass
from keisan.wire.base import NanoText, WireInput, WireView

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


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
