"""Both ends of a call: what is disputed is what does not follow from what home saw, and a client that leaves is no dispute."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.cross_record import CrossUsage, RecordEnd
from keisan.domain.ids import PlatformId, TicketId
from keisan.domain.price import TokenClass, compute_amount_nano
from keisan.domain.usage import CallOutcome
from keisan.federation.rule_match import MatchCode, MatchTerms, judge_alone, match_ends
from tests.domain.samples import RECORD_ID, name_id
from tests.federation.cross_samples import PRICES, create_usage

TERMS = MatchTerms(PRICES, template_tokens_max=10, output_tokens_max=32)


def create_ends(quantities: dict[TokenClass, int], **home: Any) -> tuple[CrossUsage, CrossUsage]:
    amount_nano = compute_amount_nano(PRICES, quantities)
    serving = create_usage(record_id=RECORD_ID, quantities=quantities, amount_nano=amount_nano)
    return replace(serving, end=RecordEnd.HOME, **home), serving


@pytest.mark.parametrize(
    ("quantities", "home", "codes"),
    [
        ({TokenClass.OUTPUT: 30}, {"response_bytes": 30}, ()),
        ({TokenClass.OUTPUT: 31}, {"response_bytes": 30}, (MatchCode.OUTPUT_ABOVE_BYTES,)),
        ({TokenClass.OUTPUT: 31}, {"response_bytes": 30, "outcome": CallOutcome.CLIENT_CLOSED}, ()),
        (
            {TokenClass.OUTPUT: 65},
            {"response_bytes": 30, "outcome": CallOutcome.CLIENT_CLOSED},
            (MatchCode.OUTPUT_ABOVE_LIMIT,),
        ),
        ({TokenClass.INPUT: 70, TokenClass.INPUT_CACHED: 30, TokenClass.INPUT_CACHE_WRITE: 10}, {}, ()),
        (
            {TokenClass.INPUT: 70, TokenClass.INPUT_CACHED: 31, TokenClass.INPUT_CACHE_WRITE: 10},
            {},
            (MatchCode.INPUT_ABOVE_BYTES,),
        ),
        ({TokenClass.REASONING: 64}, {"response_bytes": 0}, ()),
        ({TokenClass.REASONING: 65}, {}, (MatchCode.REASONING_ABOVE_LIMIT,)),
        ({TokenClass.REASONING: 32}, {"max_tokens": None}, ()),
        ({TokenClass.REASONING: 33}, {"max_tokens": None}, (MatchCode.REASONING_ABOVE_LIMIT,)),
        ({}, {"model_digest": "d" * 64}, (MatchCode.TERMS_DIFFER,)),
        ({}, {"ticket_id": TicketId(name_id(63))}, (MatchCode.TERMS_DIFFER,)),
        ({}, {"serving_id": PlatformId("cc" * 32)}, (MatchCode.PARTIES_DIFFER,)),
    ],
)
def test_what_home_saw_bounds_what_is_owed(
    quantities: dict[TokenClass, int], home: dict[str, Any], codes: tuple[MatchCode, ...]
) -> None:
    ours, theirs = create_ends(quantities, **home)
    assert match_ends(ours, theirs, TERMS) == codes


def test_an_amount_is_at_most_what_the_pinned_price_makes_of_the_quantities() -> None:
    home, serving = create_ends({TokenClass.INPUT: 7, TokenClass.OUTPUT: 9})
    cheaper, wrong = [replace(serving, amount_nano=serving.amount_nano + change_nano) for change_nano in (-1, 1)]
    assert judge_alone(serving, TERMS) == judge_alone(cheaper, TERMS) == match_ends(home, cheaper, TERMS) == ()
    assert judge_alone(wrong, TERMS) == match_ends(home, wrong, TERMS) == (MatchCode.AMOUNT_NOT_OF_PRICE,)


@pytest.mark.parametrize(("prices", "extra"), [(None, {}), (PRICES, {TokenClass.IMAGE: 1})])
def test_without_a_price_nothing_follows(prices: dict[TokenClass, int] | None, extra: dict[TokenClass, int]) -> None:
    _, serving = create_ends({})
    asked = replace(serving, quantities=extra)
    assert judge_alone(asked, MatchTerms(prices, 0, 0)) == (MatchCode.AMOUNT_NOT_OF_PRICE,)


COUNT = st.integers(0, 200)


@given(st.dictionaries(st.sampled_from([*PRICES, TokenClass.REASONING]), COUNT), COUNT, COUNT, COUNT)
def test_a_record_is_agreed_on_exactly_when_every_bound_holds(
    quantities: dict[TokenClass, int], request_bytes: int, response_bytes: int, max_tokens: int
) -> None:
    seen = {"request_bytes": request_bytes, "response_bytes": response_bytes, "max_tokens": max_tokens}
    home, serving = create_ends(quantities, **seen)
    output, reasoning = quantities.get(TokenClass.OUTPUT, 0), quantities.get(TokenClass.REASONING, 0)
    is_bounded = output <= min(response_bytes, max_tokens) and reasoning <= max_tokens
    is_agreed = is_bounded and quantities.get(TokenClass.INPUT, 0) <= request_bytes + 10
    assert (match_ends(home, serving, TERMS) == ()) is is_agreed
