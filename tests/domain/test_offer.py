"""Offers: one subject in its own unit, and which of them pays for a call."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.errors import InvalidInput
from keisan.domain.ids import ModelId, OfferId, ProviderId
from keisan.domain.offer import TERM_HOURS_MAX, Offer, OfferKind, check_offer, choose_offer
from keisan.domain.price import PRICE_NANO_MAX, TokenClass
from keisan.domain.validity import is_in_force
from tests.domain.samples import MODEL_ID, NOW, PRICES, PROVIDER_ID, build_chip_offer, build_offer, name_id

OTHER_PROVIDER_ID, OTHER_MODEL_ID = ProviderId(name_id(5, 2)), ModelId(name_id(9, 2))
RESERVED = {"kind": OfferKind.RESERVED, "quantity_max": 10**9, "term_hours": 720}


@st.composite
def draw_offers(draw: st.DrawFn) -> list[Offer]:
    """Versions of several subjects, kinds and currencies, some withdrawn, some over."""
    hours = st.integers(min_value=-4, max_value=4)
    offers = []
    for version in range(1, draw(st.integers(min_value=0, max_value=8)) + 1):
        start = NOW + timedelta(hours=draw(hours))
        length = draw(st.none() | st.integers(min_value=1, max_value=4))
        offers.append(
            build_offer(
                id=OfferId(name_id(20, version)),
                provider_id=draw(st.sampled_from([PROVIDER_ID, OTHER_PROVIDER_ID])),
                model_id=draw(st.sampled_from([MODEL_ID, OTHER_MODEL_ID])),
                kind=draw(st.sampled_from(OfferKind)),
                currency=draw(st.sampled_from(["CNY", "JPY"])),
                nano_per_million=draw(st.sampled_from([PRICES, {}])),
                effective_from=start,
                effective_until=None if length is None else start + timedelta(hours=length),
                version=version,
            )
        )
    return draw(st.permutations(offers))


@given(offers=draw_offers(), hours=st.integers(min_value=-5, max_value=9))
def test_chosen_offer_is_the_newest_that_covers_the_instant_or_none(offers: list[Offer], hours: int) -> None:
    at = NOW + timedelta(hours=hours)
    chosen = choose_offer(offers, PROVIDER_ID, MODEL_ID, "CNY", at)
    rivals = [
        offer
        for offer in offers
        if (offer.provider_id, offer.model_id, offer.currency) == (PROVIDER_ID, MODEL_ID, "CNY")
        and offer.kind is OfferKind.FIXED
        and is_in_force(offer, at)
    ]
    newest = max(rivals, key=lambda offer: offer.version, default=None)
    assert chosen == (newest if newest is not None and newest.nano_per_million else None)
    if chosen is not None:
        assert chosen.effective_from <= at
        assert chosen.effective_until is None or at < chosen.effective_until
        assert choose_offer(reversed(offers), PROVIDER_ID, MODEL_ID, "CNY", at) == chosen


def test_offer_for_a_week_gives_way_to_the_one_before_it() -> None:
    usual = build_offer()
    week = replace(usual, version=2, effective_until=NOW + timedelta(days=7))
    chosen = [
        choose_offer([usual, week], PROVIDER_ID, MODEL_ID, "CNY", NOW + timedelta(days=days)) for days in (0, 6, 7, 99)
    ]
    assert chosen == [week, week, usual, usual]


def test_withdrawn_offer_uncovers_none_before_it() -> None:
    usual = build_offer()
    withdrawn = replace(usual, version=2, nano_per_million={}, effective_from=NOW + timedelta(days=1))
    assert withdrawn.is_withdrawn
    assert choose_offer([usual, withdrawn], PROVIDER_ID, MODEL_ID, "CNY", NOW) == usual
    assert choose_offer([usual, withdrawn], PROVIDER_ID, MODEL_ID, "CNY", NOW + timedelta(days=1)) is None


def test_subjects_are_told_apart() -> None:
    model, chip = build_offer(), build_chip_offer()
    assert (model.subject, chip.subject) == (f"model:{MODEL_ID}", "chip:nvidia-h20")
    assert not model.is_withdrawn
    assert not chip.is_withdrawn
    assert replace(chip, nano_per_device_hour=None).is_withdrawn


def test_good_offers_pass() -> None:
    for offer in (build_offer(), build_chip_offer(nano_per_device_hour=0), build_chip_offer(**RESERVED)):
        check_offer(offer)
    pictures = {TokenClass.INPUT: 0, TokenClass.OUTPUT: 0, TokenClass.IMAGE: 7, TokenClass.AUDIO_SECOND: 3}
    check_offer(build_offer(nano_per_million=pictures, **RESERVED))


@pytest.mark.parametrize(
    ("offer", "field"),
    [
        (build_offer(chip="nvidia-h20"), "model_id"),
        (build_offer(model_id=None), "model_id"),
        (build_offer(nano_per_device_hour=1), "nano_per_device_hour"),
        (build_offer(nano_per_million={}), "nano_per_million.input"),
        (build_offer(nano_per_million={TokenClass.INPUT: 1}), "nano_per_million.output"),
        (build_chip_offer(nano_per_device_hour=None), "nano_per_device_hour"),
        (build_chip_offer(nano_per_device_hour=-1), "nano_per_device_hour"),
        (build_chip_offer(nano_per_device_hour=PRICE_NANO_MAX + 1), "nano_per_device_hour"),
        (build_chip_offer(nano_per_million=PRICES), "nano_per_million"),
        (build_offer(quantity_max=1), "quantity_max"),
        (build_offer(term_hours=1), "term_hours"),
        (build_offer(**RESERVED | {"quantity_max": None}), "quantity_max"),
        (build_offer(**RESERVED | {"term_hours": None}), "term_hours"),
        (build_offer(**RESERVED | {"quantity_max": 0}), "quantity_max"),
        (build_offer(**RESERVED | {"term_hours": TERM_HOURS_MAX + 1}), "term_hours"),
    ],
)
def test_bad_offers_are_refused_by_field(offer: Offer, field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        check_offer(offer)
    assert refusal.value.field == field
