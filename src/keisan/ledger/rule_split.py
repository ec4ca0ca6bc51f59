"""Who gets what of a call's amount: the provider, tax, the platform. Pure.

A split is a function of its record and of what held when the call was admitted, never of the batch that it came in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from keisan.domain.account import AccountKey, AccountKind
from keisan.domain.price import PARENT_CLASS, TokenClass, compute_amount_nano, divide_half_even

PPM = 1_000_000

AccountPair = tuple[AccountKey, AccountKey]


@dataclass(frozen=True, slots=True)
class SplitTerms:
    """What held when a call was admitted: its provider's offer, None without one, and the rates of margin and tax."""

    offer_nano_per_million: Mapping[TokenClass, int] | None = None
    margin_ppm: int = 0
    tax_ppm: int = 0


class Split(NamedTuple):
    """The three parts of an amount; their sum is the amount. Revenue is negative where an offer asks for more than is paid."""

    provider_nano: int
    tax_nano: int
    revenue_nano: int


def split_amount(amount_nano: int, quantities: Mapping[TokenClass, int], terms: SplitTerms) -> Split:
    """Return the parts of what a customer pays, tax included, for these quantities; `amount_nano` >= 0.

    Tax is within the amount: amount x ppm / (1,000,000 + ppm), half to even. Of the rest, with an offer the provider has
    what it asks for the quantities, divided once, half to even, and the platform what remains, be it negative: the margin
    is what lies between offer and price, and the margin's rate is not applied. Without an offer, or with one that has
    no price for something that was counted, the platform has its margin of the rest, half to even, and the provider
    what remains.
    """
    tax_nano = divide_half_even(amount_nano * terms.tax_ppm, PPM + terms.tax_ppm)
    net_nano = amount_nano - tax_nano
    offered = terms.offer_nano_per_million
    if offered is not None and can_price(offered, quantities):
        provider_nano = compute_amount_nano(offered, quantities)
        return Split(provider_nano, tax_nano, net_nano - provider_nano)
    revenue_nano = divide_half_even(net_nano * terms.margin_ppm, PPM)
    return Split(net_nano - revenue_nano, tax_nano, revenue_nano)


def can_price(nano_per_million: Mapping[TokenClass, int], quantities: Mapping[TokenClass, int]) -> bool:
    """Tell whether everything that was counted has a price, its own or its parent's."""
    counted = (token_class for token_class, quantity in quantities.items() if quantity)
    return all(each in nano_per_million or PARENT_CLASS.get(each) in nano_per_million for each in counted)


class SplitSum:
    """What moves from which account to which for records that one payer pays and one provider or platform served, added up.

    The payer is a wallet, suspense, or another platform; `payable` is owed to who served. What an offer asks beyond what was paid comes from the platform's revenue.
    """

    def __init__(self, payer: AccountKey, payable: AccountKey) -> None:
        currency = payer.currency
        revenue = AccountKey(AccountKind.PLATFORM_REVENUE, None, None, currency)
        tax = AccountKey(AccountKind.TAX, None, None, currency)
        self._pairs: tuple[AccountPair, ...] = ((payer, payable), (payer, revenue), (payer, tax), (revenue, payable))
        self._amounts = [0, 0, 0, 0]
        self._counts = [0, 0, 0, 0]

    def add(self, provider_nano: int, tax_nano: int, revenue_nano: int) -> None:
        """Add the split of one record."""
        missing_nano = max(0, -revenue_nano)
        parts = (provider_nano - missing_nano, revenue_nano + missing_nano, tax_nano, missing_nano)
        for place, part_nano in enumerate(parts):
            if part_nano:
                self._amounts[place] += part_nano
                self._counts[place] += 1

    def list_moves(self) -> dict[AccountPair, tuple[int, int]]:
        """Return what moves, in nano-units above 0, and for how many records."""
        moves = zip(self._pairs, zip(self._amounts, self._counts, strict=True), strict=True)
        return {pair: moved for pair, moved in moves if moved[0]}
