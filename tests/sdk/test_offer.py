"""Offers through the client: made, found, withdrawn."""

import pytest

from keisan.domain.price import TokenClass
from keisan.sdk import AsyncKeisan, OfferCreate, OfferKind, StateConflict
from tests.api.stage import Stage


async def test_offer_is_made_found_and_withdrawn(stage: Stage, admin: AsyncKeisan) -> None:
    nano = {TokenClass.INPUT: 10**17 + 1, TokenClass.OUTPUT: 3, TokenClass.AUDIO_SECOND: 5}
    body = OfferCreate(
        provider_id=stage.ids["provider"],
        model_id=stage.ids["model"],
        kind=OfferKind.RESERVED,
        currency="CNY",
        nano_per_million=nano,
        quantity_max=10**12,
        term_hours=720,
    )
    created = await admin.offers.create(body)
    assert (created.version, created.nano_per_million, created.term_hours) == (2, nano, 720)
    assert await admin.offers.get(created.id) == created
    withdrawn = await admin.offers.withdraw(created.id)
    assert (withdrawn.is_withdrawn, withdrawn.kind) == (True, OfferKind.RESERVED)
    assert [line.version async for line in admin.offers.list()] == [1, 2, 3]
    with pytest.raises(StateConflict):
        await admin.offers.withdraw(withdrawn.id)
