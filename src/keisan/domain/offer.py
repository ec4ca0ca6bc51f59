"""Offers: what a provider asks for its work, of the platform. Customers pay the platform's price and never see offers.

Versions are immutable and rise by one for each provider and subject. An offer is withdrawn by a version without prices.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from keisan.domain.errors import InvalidInput
from keisan.domain.ids import ModelId, OfferId, PlatformId, ProviderId
from keisan.domain.price import PRICE_NANO_MAX, TokenClass, check_price
from keisan.domain.validity import choose_newest

TERM_HOURS_MAX = 10 * 366 * 24


class OfferKind(StrEnum):
    """How an offer is taken: by every call while it is in force, or by somebody who reserves a quantity for a term.

    An auction will be one more member. Its prices are the least that is asked and its validity is the time for bids;
    what no other kind needs stands in fields of its own that are None elsewhere, as those of `reserved` do. Kinds are
    stored as text without a check, and what a call is paid by asks for `fixed` by name, so neither of them changes.
    """

    FIXED = "fixed"
    RESERVED = "reserved"


@dataclass(frozen=True, slots=True)
class Offer:
    """One version. Its subject is a model, or device-hours of a chip: one of `model_id` and `chip` is named.

    A model is offered in nano-units of `currency` per 1,000,000 units of each class (R3). A device-hour is dear and few
    are sold at once, so a chip is offered per single device-hour; that is a field of its own and no further class,
    because two scales within one mapping would be taken for each other. Without either price the offer is withdrawn.
    A reserved offer holds at most `quantity_max` for a term of `term_hours`: units of all classes together of a model,
    device-hours of a chip.
    """

    id: OfferId
    platform_id: PlatformId
    provider_id: ProviderId
    model_id: ModelId | None
    chip: str | None
    kind: OfferKind
    currency: str
    nano_per_million: Mapping[TokenClass, int]
    nano_per_device_hour: int | None
    quantity_max: int | None
    term_hours: int | None
    effective_from: datetime
    effective_until: datetime | None
    version: int
    created_at: datetime

    @property
    def subject(self) -> str:
        """What is offered, as one text by which versions are counted."""
        return name_model(self.model_id) if self.model_id is not None else f"chip:{self.chip}"

    @property
    def is_withdrawn(self) -> bool:
        """Whether this version says that nothing is offered any more."""
        return not self.nano_per_million and self.nano_per_device_hour is None


def name_model(model_id: ModelId) -> str:
    """Return the subject of an offer of a model."""
    return f"model:{model_id}"


def check_offer(offer: Offer) -> None:
    """Raise InvalidInput unless one subject is named, priced in its own unit, and a reservation is bounded."""
    if (offer.model_id is None) is (offer.chip is None):
        raise InvalidInput("an offer is of a model or of a chip's device-hours, and of one of them", "model_id")
    if offer.model_id is not None:
        if offer.nano_per_device_hour is not None:
            raise InvalidInput("a model is not offered by the device-hour", "nano_per_device_hour")
        check_price(offer.nano_per_million)
    else:
        _check_device_hour(offer)
    _check_reservation(offer)


def _check_device_hour(offer: Offer) -> None:
    if offer.nano_per_million:
        raise InvalidInput("a chip is offered by the device-hour only", "nano_per_million")
    if offer.nano_per_device_hour is None or not 0 <= offer.nano_per_device_hour <= PRICE_NANO_MAX:
        raise InvalidInput(f"a price lies within 0 and {PRICE_NANO_MAX}", "nano_per_device_hour")


def _check_reservation(offer: Offer) -> None:
    bounds = {"quantity_max": offer.quantity_max, "term_hours": offer.term_hours}
    for name, bound in bounds.items():
        if (bound is None) is (offer.kind is OfferKind.RESERVED):
            raise InvalidInput(f"a {offer.kind} offer has {'a' if bound is None else 'no'} {name}", name)
        if bound is not None and bound < 1:
            raise InvalidInput("a reservation is of 1 or more", name)
    if offer.term_hours is not None and offer.term_hours > TERM_HOURS_MAX:
        raise InvalidInput(f"a term has at most {TERM_HOURS_MAX} hours", "term_hours")


def choose_offer(
    offers: Iterable[Offer], provider_id: ProviderId, model_id: ModelId, currency: str, at: datetime
) -> Offer | None:
    """Return the offer by which a provider is paid for a call that was admitted at an instant, None without one.

    It is the newest fixed version in this currency that covers the instant; one that is withdrawn is none. A reserved
    offer asks for what is held, and not for calls.
    """
    candidates = (
        offer
        for offer in offers
        if (offer.provider_id, offer.model_id, offer.currency) == (provider_id, model_id, currency)
        and offer.kind is OfferKind.FIXED
    )
    chosen = choose_newest(candidates, at)
    return None if chosen is None or chosen.is_withdrawn else chosen
