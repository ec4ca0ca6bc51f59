"""Prices and amounts (R3): integers of nano-units per 1,000,000 units of a class, divided once, half to even.

Classes are disjoint, so a cached token cannot be billed twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from keisan.domain.errors import InvalidInput
from keisan.domain.ids import ModelId, PlatformId, PriceId

PRICE_UNIT_TOKENS = 1_000_000
PRICE_NANO_MAX = 10**18


class TokenClass(StrEnum):
    """A kind of unit that is counted and priced apart from all others: a token by its place, a picture, a second of sound.

    A relay counts the classes it knows and leaves out the prices of others, so that a class may come here first.
    """

    INPUT = "input"
    INPUT_CACHED = "input_cached"
    INPUT_CACHE_WRITE = "input_cache_write"
    OUTPUT = "output"
    REASONING = "reasoning"
    # One picture that was made.
    IMAGE = "image"
    # One second of sound, heard or made.
    AUDIO_SECOND = "audio_second"


# What a count of each class is called where it stands in a column.
COUNT_NAMES: dict[TokenClass, str] = {token_class: f"{token_class}_tokens" for token_class in TokenClass} | {
    TokenClass.IMAGE: "images",
    TokenClass.AUDIO_SECOND: "audio_seconds",
}

# A class without a price of its own is priced as the class it is a part of.
PARENT_CLASS: dict[TokenClass, TokenClass] = {
    TokenClass.INPUT_CACHED: TokenClass.INPUT,
    TokenClass.INPUT_CACHE_WRITE: TokenClass.INPUT,
    TokenClass.REASONING: TokenClass.OUTPUT,
}


@dataclass(frozen=True, slots=True)
class Price:
    """One immutable version of a model's prices: nano-units of `currency` per 1,000,000 units of each class.

    It holds from `effective_from` until a later version does; a version with a later number and an earlier instant takes
    the place of one that has not come into force yet. Prices are what the customer pays, tax included.
    """

    id: PriceId
    platform_id: PlatformId
    model_id: ModelId
    version: int
    currency: str
    nano_per_million: Mapping[TokenClass, int]
    effective_from: datetime
    created_at: datetime


def check_price(nano_per_million: Mapping[TokenClass, int]) -> None:
    """Raise InvalidInput unless input and output are priced and every price is within 0 .. 10^18.

    A gateway sets credit aside by the prices of input and output, so a model of pictures or sound names 0 for them.
    """
    for required in (TokenClass.INPUT, TokenClass.OUTPUT):
        if required not in nano_per_million:
            raise InvalidInput(f"a price needs the class '{required}'", f"nano_per_million.{required}")
    for token_class, nano in nano_per_million.items():
        if not 0 <= nano <= PRICE_NANO_MAX:
            raise InvalidInput(
                f"a price lies within 0 and {PRICE_NANO_MAX}, got {nano}", f"nano_per_million.{token_class}"
            )


def choose_nano(nano_per_million: Mapping[TokenClass, int], token_class: TokenClass) -> int:
    """Return the price of a class, or that of its parent class; raises InvalidInput if neither is priced."""
    priced_class = token_class if token_class in nano_per_million else PARENT_CLASS.get(token_class)
    if priced_class is None or priced_class not in nano_per_million:
        raise InvalidInput(f"no price for the class '{token_class}'", f"quantities.{token_class}")
    return nano_per_million[priced_class]


def compute_amount_nano(nano_per_million: Mapping[TokenClass, int], quantities: Mapping[TokenClass, int]) -> int:
    """Return the amount in nano-units: sum of quantity x price over 1,000,000, divided once, half to even.

    Raises InvalidInput for a negative quantity or a class without price.
    """
    total = 0
    for token_class, quantity in quantities.items():
        if quantity < 0:
            raise InvalidInput(f"a quantity is never negative, got {quantity}", f"quantities.{token_class}")
        if quantity:
            total += quantity * choose_nano(nano_per_million, token_class)
    return divide_half_even(total, PRICE_UNIT_TOKENS)


def divide_half_even(dividend: int, divisor: int) -> int:
    """Return dividend / divisor for dividend >= 0 and divisor > 0, rounded half to even."""
    quotient, rest = divmod(dividend, divisor)
    is_rounded_up = 2 * rest > divisor or (2 * rest == divisor and quotient % 2 == 1)
    return quotient + is_rounded_up
