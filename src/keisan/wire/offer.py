"""Offers on the wire: what a provider asks, in decimal strings of nano-units."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, StringConstraints

from keisan.domain.offer import OfferKind
from keisan.domain.price import TokenClass
from keisan.wire.base import Count, Currency, NanoText, WireInput, WireView

ChipName = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$")]


class OfferCreate(WireInput):
    """A new version of what a provider asks for a model, per 1,000,000 units of each class, or for a chip's device-hour.

    It holds from `effective_from`, by default from now, until `effective_until`, by default until a newer one does. A
    reserved offer names the most that is held, and for how long.
    """

    provider_id: UUID
    model_id: UUID | None = None
    chip: ChipName | None = None
    kind: OfferKind = OfferKind.FIXED
    currency: Currency
    nano_per_million: dict[TokenClass, NanoText] = {}
    nano_per_device_hour: NanoText | None = None
    quantity_max: Count | None = None
    term_hours: Count | None = None
    effective_from: AwareDatetime | None = None
    effective_until: AwareDatetime | None = None


class OfferView(WireView):
    """An offer's version as the API shows it; `is_withdrawn`: from then on nothing is offered."""

    id: UUID
    platform_id: str
    provider_id: UUID
    model_id: UUID | None
    chip: str | None
    kind: OfferKind
    currency: str
    nano_per_million: dict[TokenClass, NanoText]
    nano_per_device_hour: NanoText | None
    quantity_max: int | None
    term_hours: int | None
    effective_from: datetime
    effective_until: datetime | None
    is_withdrawn: bool
    version: int
    created_at: datetime
