"""Commands on offers: create the next version, withdraw what is offered. A version never changes and never goes."""

from dataclasses import replace

from keisan.control.context import Control, name_actor
from keisan.domain.access import Principal, Right
from keisan.domain.errors import InvalidInput, StateConflict
from keisan.domain.event import EventDraft
from keisan.domain.ids import ModelId, OfferId, ProviderId
from keisan.domain.offer import Offer, check_offer
from keisan.domain.validity import check_end, settle_start
from keisan.kit.ids import create_id
from keisan.storage.base import Transaction
from keisan.wire.offer import OfferCreate


async def create_offer(control: Control, principal: Principal, body: OfferCreate) -> Offer:
    """Create the next version of what a provider asks; calls admitted while it is in force pay the provider by it.

    Raises PermissionDenied, NotFound for a provider outside the asker's scope and for no such model, InvalidInput as
    check_offer does, for a chip that the catalogue does not know, and for a validity that is over or in the past.
    """
    principal.require(Right.WRITE_OFFERS)
    async with control.storage.write() as transaction:
        # Its instant is read here: who wrote before saw no later one.
        offer = build_offer(control, body)
        check_offer(offer)
        check_end(offer.effective_from, offer.effective_until)
        if offer.chip is not None and offer.chip not in control.chips:
            raise InvalidInput(f"the catalogue has no chip '{offer.chip}'", "chip")
        await transaction.providers.get(principal.scope, offer.provider_id)
        if offer.model_id is not None:
            await transaction.models.get(principal.scope, offer.model_id)
        return await insert_next_version(transaction, principal, "offer.created", offer)


async def withdraw_offer(control: Control, principal: Principal, offer_id: OfferId) -> Offer:
    """Make a version without prices: from now on nothing is offered of its kind, subject and currency.

    Nothing that was said changes. Raises PermissionDenied, NotFound outside the asker's scope, StateConflict for a
    version that withdraws already.
    """
    principal.require(Right.WRITE_OFFERS)
    async with control.storage.write() as transaction:
        now = control.clock.now()
        offer = await transaction.offers.get(principal.scope, offer_id)
        if offer.is_withdrawn:
            raise StateConflict(f"the offer {offer_id} is withdrawn")
        empty = replace(
            offer,
            id=OfferId(create_id()),
            nano_per_million={},
            nano_per_device_hour=None,
            effective_from=now,
            effective_until=None,
            created_at=now,
        )
        return await insert_next_version(transaction, principal, "offer.withdrawn", empty)


def build_offer(control: Control, body: OfferCreate) -> Offer:
    """Return the offer of a body, its version not numbered yet; raises InvalidInput for an instant in the past."""
    now = control.clock.now()
    return Offer(
        id=OfferId(create_id()),
        platform_id=control.platform_id,
        provider_id=ProviderId(body.provider_id),
        model_id=None if body.model_id is None else ModelId(body.model_id),
        chip=body.chip,
        kind=body.kind,
        currency=body.currency,
        nano_per_million=dict(body.nano_per_million),
        nano_per_device_hour=body.nano_per_device_hour,
        quantity_max=body.quantity_max,
        term_hours=body.term_hours,
        effective_from=settle_start(body.effective_from, now),
        effective_until=body.effective_until,
        version=1,
        created_at=now,
    )


async def insert_next_version(transaction: Transaction, principal: Principal, action: str, offer: Offer) -> Offer:
    """Write an offer as the newest version of its provider and subject, with its event.

    Raises AlreadyExists if a concurrent transaction was first.
    """
    last_version = await transaction.offers.get_last_version(principal.scope, offer.provider_id, offer.subject)
    numbered = replace(offer, version=last_version + 1)
    await transaction.offers.insert(numbered)
    await transaction.events.append(EventDraft(name_actor(principal), action, numbered.id, describe_offer(numbered)))
    return numbered


def describe_offer(offer: Offer) -> dict[str, str]:
    """Return what the audit log says of an offer."""
    told = {
        "provider_id": offer.provider_id,
        "subject": offer.subject,
        "offer_version": offer.version,
        "kind": offer.kind,
        "currency": offer.currency,
        "nano_per_device_hour": offer.nano_per_device_hour,
        "quantity_max": offer.quantity_max,
        "term_hours": offer.term_hours,
        "effective_from": offer.effective_from.isoformat(),
        "effective_until": offer.effective_until and offer.effective_until.isoformat(),
        **{f"nano_per_million.{token_class}": nano for token_class, nano in offer.nano_per_million.items()},
    }
    return {name: str(value) for name, value in told.items() if value is not None}
