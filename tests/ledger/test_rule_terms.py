"""Terms: what was in force when a call was admitted, whatever else its batch holds."""

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.deduction import Deduction, DeductionKind, choose_rate_ppm
from keisan.domain.ids import DeductionId, ModelId, OfferId, OrganizationId, ProviderId
from keisan.domain.offer import Offer, choose_offer
from keisan.domain.usage import UsageRecord
from keisan.ledger.rule_split import SplitTerms
from keisan.ledger.rule_terms import TermsBook
from tests.domain.samples import (
    MODEL_ID,
    NOW,
    ORGANIZATION_ID,
    PROVIDER_ID,
    build_deduction,
    build_offer,
    build_record,
    name_id,
)

INSTANTS = [NOW + timedelta(hours=hours) for hours in range(6)]
PROVIDERS = [PROVIDER_ID, ProviderId(name_id(5, 2))]
ORGANIZATIONS = [ORGANIZATION_ID, OrganizationId(name_id(1, 2))]
MODELS = [MODEL_ID, ModelId(name_id(9, 2))]


def span(**changes: Any) -> st.SearchStrategy[dict[str, Any]]:
    start, length = st.integers(0, 5), st.integers(1, 5)
    ends = st.none() | length
    return st.builds(
        lambda first, hours, own: (
            own
            | {
                "effective_from": INSTANTS[first],
                "effective_until": None if hours is None else INSTANTS[first] + timedelta(hours=hours),
            }
        ),
        start,
        ends,
        st.fixed_dictionaries(changes),
    )


OFFERS = st.lists(
    span(provider_id=st.sampled_from(PROVIDERS), model_id=st.sampled_from(MODELS), version=st.integers(1, 9)).map(
        lambda own: build_offer(id=OfferId(name_id(20, own["version"])), **own)
    ),
    max_size=8,
)
MARGINS = span(
    provider_id=st.sampled_from([None, *PROVIDERS]), rate_ppm=st.integers(0, 9), version=st.integers(1, 9)
).map(
    lambda own: build_deduction(
        id=DeductionId(name_id(21, own["version"])), kind=DeductionKind.MARGIN, organization_id=None, **own
    )
)
TAXES = span(
    organization_id=st.sampled_from([None, *ORGANIZATIONS]), rate_ppm=st.integers(0, 9), version=st.integers(1, 9)
).map(
    lambda own: build_deduction(
        id=DeductionId(name_id(21, own["version"])), kind=DeductionKind.TAX, provider_id=None, **own
    )
)
RECORDS = st.lists(
    st.builds(
        build_record,
        provider_id=st.sampled_from(PROVIDERS),
        organization_id=st.sampled_from(ORGANIZATIONS),
        model_id=st.sampled_from(MODELS),
        admitted_at=st.sampled_from(INSTANTS)
        | st.sampled_from([each - timedelta(microseconds=1) for each in INSTANTS]),
    ),
    min_size=1,
    max_size=12,
)


@given(OFFERS, st.lists(MARGINS | TAXES, max_size=8), RECORDS)
def test_terms_are_those_of_each_records_own_instant(
    offers: list[Offer], deductions: list[Deduction], records: list[UsageRecord]
) -> None:
    book = TermsBook(offers, deductions)
    # As a parser does, records of one context share the value.
    shared = {record.context: record.context for record in records}
    for record in (record._replace(context=shared[record.context]) for record in records):
        context, at = record.context, record.admitted_at
        offer = choose_offer(offers, context.provider_id, context.model_id, "CNY", at)
        assert book.choose_terms(record, "CNY") == SplitTerms(
            offer.nano_per_million if offer else None,
            choose_rate_ppm(deductions, DeductionKind.MARGIN, context.provider_id, at),
            choose_rate_ppm(deductions, DeductionKind.TAX, context.organization_id, at),
        )


def test_terms_are_chosen_once_for_a_context_until_something_changes() -> None:
    book, record = TermsBook([build_offer(provider_id=PROVIDER_ID, model_id=MODEL_ID)], []), build_record()
    assert book.choose_terms(record, "CNY") is book.choose_terms(record, "CNY")


def test_offer_in_another_currency_is_none() -> None:
    offer = build_offer(provider_id=PROVIDER_ID, model_id=MODEL_ID, currency="CNY")
    book = TermsBook([offer], [])
    assert book.choose_terms(build_record(), "CNY").offer_nano_per_million == offer.nano_per_million
    assert book.choose_terms(build_record(), "JPY").offer_nano_per_million is None
