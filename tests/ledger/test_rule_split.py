"""The split of an amount: exact, repeatable, never better for anybody by how records come together."""

import json
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.account import AccountKey, AccountKind
from keisan.domain.ids import ProviderId
from keisan.domain.price import PRICE_NANO_MAX, TokenClass
from keisan.ledger.rule_split import PPM, Split, SplitSum, SplitTerms, can_price, split_amount
from tests.domain.samples import ORGANIZATION_ID, PROVIDER_ID

GOLDEN = Path(__file__).parents[1] / "golden" / "splits.json"
AMOUNTS = st.integers(min_value=0, max_value=10**36)
RATES = st.integers(min_value=0, max_value=PPM)
NANO = st.integers(min_value=0, max_value=PRICE_NANO_MAX)
CONSUMED = st.dictionaries(st.sampled_from(TokenClass), st.integers(min_value=0, max_value=2**63 - 1))
OFFERED = st.fixed_dictionaries(
    {TokenClass.INPUT: NANO, TokenClass.OUTPUT: NANO},
    optional=dict.fromkeys(set(TokenClass) - {TokenClass.INPUT, TokenClass.OUTPUT}, NANO),
)
TERMS = st.builds(SplitTerms, st.none() | OFFERED, RATES, RATES)
WALLET = AccountKey(AccountKind.WALLET, ORGANIZATION_ID, None, "CNY")
SUSPENSE = AccountKey(AccountKind.SUSPENSE, None, None, "CNY")
PAYABLE = AccountKey(AccountKind.PROVIDER_PAYABLE, None, PROVIDER_ID, "CNY")
REVENUE = AccountKey(AccountKind.PLATFORM_REVENUE, None, None, "CNY")
TAX = AccountKey(AccountKind.TAX, None, None, "CNY")


def move_split(split: Split, payer: AccountKey, provider_id: ProviderId) -> dict[tuple[AccountKey, AccountKey], int]:
    """Return what moves for one record."""
    total = SplitSum(payer, AccountKey(AccountKind.PROVIDER_PAYABLE, None, provider_id, payer.currency))
    total.add(split.provider_nano, split.tax_nano, split.revenue_nano)
    moves = total.list_moves()
    assert {count for _, count in moves.values()} <= {1}
    return {pair: amount_nano for pair, (amount_nano, _) in moves.items()}


@given(amount_nano=AMOUNTS, quantities=CONSUMED, terms=TERMS)
def test_parts_sum_to_the_amount(amount_nano: int, quantities: dict[TokenClass, int], terms: SplitTerms) -> None:
    split = split_amount(amount_nano, quantities, terms)
    assert split.provider_nano + split.tax_nano + split.revenue_nano == amount_nano
    assert 0 <= split.tax_nano <= amount_nano
    assert split.provider_nano >= 0


@given(amount_nano=AMOUNTS, quantities=CONSUMED, terms=TERMS)
def test_tax_is_within_the_amount_and_rounded_once(
    amount_nano: int, quantities: dict[TokenClass, int], terms: SplitTerms
) -> None:
    # Python rounds a Fraction half to even, exactly, whatever its size.
    expected = round(Fraction(amount_nano * terms.tax_ppm, PPM + terms.tax_ppm))
    assert split_amount(amount_nano, quantities, terms).tax_nano == expected


@given(amount_nano=AMOUNTS, quantities=CONSUMED, margin_ppm=RATES, tax_ppm=RATES)
def test_without_an_offer_the_platform_has_its_margin_of_the_rest(
    amount_nano: int, quantities: dict[TokenClass, int], margin_ppm: int, tax_ppm: int
) -> None:
    split = split_amount(amount_nano, quantities, SplitTerms(None, margin_ppm, tax_ppm))
    assert split.revenue_nano == round(Fraction((amount_nano - split.tax_nano) * margin_ppm, PPM))
    assert split.revenue_nano >= 0


@given(amount_nano=AMOUNTS, quantities=CONSUMED, offered=OFFERED, rates=st.tuples(RATES, RATES, RATES))
def test_with_an_offer_the_provider_has_what_it_asks_whatever_is_paid(
    amount_nano: int, quantities: dict[TokenClass, int], offered: dict[TokenClass, int], rates: tuple[int, int, int]
) -> None:
    margin_ppm, other_ppm, tax_ppm = rates
    split = split_amount(amount_nano, quantities, SplitTerms(offered, margin_ppm, tax_ppm))
    if not can_price(offered, quantities):
        assert split == split_amount(amount_nano, quantities, SplitTerms(None, margin_ppm, tax_ppm))
        return
    assert split.provider_nano == split_amount(0, quantities, SplitTerms(offered)).provider_nano
    assert split == split_amount(amount_nano, quantities, SplitTerms(offered, other_ppm, tax_ppm))


@given(
    amount_nano=AMOUNTS,
    quantities=st.dictionaries(st.sampled_from(TokenClass), st.integers(min_value=1, max_value=2**62)),
    prices=st.fixed_dictionaries(dict.fromkeys(TokenClass, NANO)),
    token_class=st.sampled_from(TokenClass),
    more=st.integers(min_value=0, max_value=2**62),
)
def test_provider_never_has_less_for_more(
    amount_nano: int,
    quantities: dict[TokenClass, int],
    prices: dict[TokenClass, int],
    token_class: TokenClass,
    more: int,
) -> None:
    raised = quantities | {token_class: quantities.get(token_class, 0) + more}
    before = split_amount(amount_nano, quantities, SplitTerms(prices))
    assert split_amount(amount_nano, raised, SplitTerms(prices)).provider_nano >= before.provider_nano


@given(amount_nano=AMOUNTS, more_nano=AMOUNTS, quantities=CONSUMED, terms=TERMS)
def test_nobody_has_less_when_more_is_paid(
    amount_nano: int, more_nano: int, quantities: dict[TokenClass, int], terms: SplitTerms
) -> None:
    before, after = (split_amount(paid, quantities, terms) for paid in (amount_nano, amount_nano + more_nano))
    assert after.tax_nano >= before.tax_nano
    # Each part is rounded by itself, so one nano may change hands where nothing else does.
    assert after.revenue_nano >= before.revenue_nano - 1
    assert after.provider_nano >= before.provider_nano - 1


@given(amount_nano=AMOUNTS, quantities=CONSUMED, terms=TERMS)
def test_order_of_classes_does_not_matter(
    amount_nano: int, quantities: dict[TokenClass, int], terms: SplitTerms
) -> None:
    turned = dict(reversed(quantities.items()))
    assert split_amount(amount_nano, turned, terms) == split_amount(amount_nano, quantities, terms)


def test_offer_without_a_price_for_what_was_counted_gives_way_to_the_margin() -> None:
    text_only = SplitTerms({TokenClass.INPUT: 1_000_000, TokenClass.OUTPUT: 1_000_000}, margin_ppm=250_000)
    assert split_amount(100, {TokenClass.INPUT: 4, TokenClass.IMAGE: 0}, text_only) == Split(4, 0, 96)
    assert split_amount(100, {TokenClass.INPUT: 4, TokenClass.IMAGE: 1}, text_only) == Split(75, 0, 25)
    assert split_amount(100, {TokenClass.REASONING: 9}, text_only) == Split(9, 0, 91)


@given(amount_nano=AMOUNTS, quantities=CONSUMED, terms=TERMS, payer=st.sampled_from([WALLET, SUSPENSE]))
def test_moves_leave_every_account_with_its_part(
    amount_nano: int, quantities: dict[TokenClass, int], terms: SplitTerms, payer: AccountKey
) -> None:
    split = split_amount(amount_nano, quantities, terms)
    moved = move_split(split, payer, PROVIDER_ID)
    balances = dict.fromkeys((payer, PAYABLE, REVENUE, TAX), 0)
    for (debit, credit), moved_nano in moved.items():
        assert moved_nano > 0
        balances[debit] -= moved_nano
        balances[credit] += moved_nano
    assert balances == {
        payer: -amount_nano,
        PAYABLE: split.provider_nano,
        REVENUE: split.revenue_nano,
        TAX: split.tax_nano,
    }
    assert sum(balances.values()) == 0


def test_payer_pays_three_and_nothing_moves_nothing() -> None:
    moved = move_split(Split(70, 20, 10), WALLET, PROVIDER_ID)
    assert moved == {(WALLET, PAYABLE): 70, (WALLET, REVENUE): 10, (WALLET, TAX): 20}
    assert move_split(Split(5, 0, 0), SUSPENSE, PROVIDER_ID) == {(SUSPENSE, PAYABLE): 5}
    assert move_split(Split(0, 0, 0), WALLET, PROVIDER_ID) == {}


def test_platform_pays_what_an_offer_asks_beyond_what_was_paid() -> None:
    moved = move_split(Split(130, 20, -50), WALLET, PROVIDER_ID)
    assert moved == {(WALLET, PAYABLE): 80, (WALLET, TAX): 20, (REVENUE, PAYABLE): 50}
    # A call that is free for the customer is paid for by the platform alone.
    assert move_split(Split(7, 0, -7), WALLET, PROVIDER_ID) == {(REVENUE, PAYABLE): 7}


CASES = json.loads(GOLDEN.read_text(encoding="utf-8"))["cases"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["why"])
def test_golden_splits_are_what_anybody_computes_again(case: dict[str, object]) -> None:
    """Whoever is paid by a split can check it; these are the numbers to check a reckoning with."""
    assert describe_split(case) == case["split"]


def describe_split(case: dict[str, object]) -> dict[str, str]:
    offered, quantities = case["offer_nano_per_million"], case["quantities"]
    assert isinstance(quantities, dict)
    prices = {TokenClass(name): int(nano) for name, nano in offered.items()} if isinstance(offered, dict) else None
    terms = SplitTerms(prices, int(str(case["margin_ppm"])), int(str(case["tax_ppm"])))
    counted = {TokenClass(name): int(quantity) for name, quantity in quantities.items()}
    split = split_amount(int(str(case["amount_nano"])), counted, terms)
    return {
        "provider_nano": str(split.provider_nano),
        "tax_nano": str(split.tax_nano),
        "revenue_nano": str(split.revenue_nano),
    }
