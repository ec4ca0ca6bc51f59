"""A call across platforms was metered at both ends: whether what the serving platform wants follows from what home saw.

A client that leaves early is no dispute: home then passed on less than was made, which says nothing of what was made.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from keisan.domain.cross_record import CrossUsage
from keisan.domain.errors import InvalidInput
from keisan.domain.price import TokenClass, compute_amount_nano
from keisan.domain.usage import CallOutcome

_PROMPT = (TokenClass.INPUT, TokenClass.INPUT_CACHED, TokenClass.INPUT_CACHE_WRITE)


class MatchCode(StrEnum):
    """What both ends of a call do not agree on."""

    OUTPUT_ABOVE_BYTES = "output_above_bytes"
    INPUT_ABOVE_BYTES = "input_above_bytes"
    OUTPUT_ABOVE_LIMIT = "output_above_limit"
    REASONING_ABOVE_LIMIT = "reasoning_above_limit"
    AMOUNT_NOT_OF_PRICE = "amount_not_of_price"
    TERMS_DIFFER = "terms_differ"
    PARTIES_DIFFER = "parties_differ"


@dataclass(frozen=True, slots=True)
class MatchTerms:
    """What was agreed on before the call: prices that the ticket pins, None if unknown, and what the model may do.

    A template may add `template_tokens_max` to a prompt; who asks for no number of tokens gets `output_tokens_max` at most.
    """

    nano_per_million: Mapping[TokenClass, int] | None
    template_tokens_max: int
    output_tokens_max: int


def match_ends(home: CrossUsage, serving: CrossUsage, terms: MatchTerms) -> tuple[MatchCode, ...]:
    """Return what is wrong with a call's two records, nothing if they agree, in the order of the codes.

    The serving platform's quantities are held against what home saw itself, and its amount against the pinned price.
    """
    checks = {
        MatchCode.OUTPUT_ABOVE_BYTES: has_output_above_bytes(home, serving),
        MatchCode.INPUT_ABOVE_BYTES: has_input_above_bytes(home, serving, terms),
        MatchCode.OUTPUT_ABOVE_LIMIT: _count(serving, TokenClass.OUTPUT) > find_limit(home, terms),
        MatchCode.REASONING_ABOVE_LIMIT: _count(serving, TokenClass.REASONING) > find_limit(home, terms),
        MatchCode.AMOUNT_NOT_OF_PRICE: not is_of_price(serving, terms),
        MatchCode.TERMS_DIFFER: _name_terms(home) != _name_terms(serving),
        MatchCode.PARTIES_DIFFER: _name_parties(home) != _name_parties(serving),
    }
    return tuple(code for code, is_wrong in checks.items() if is_wrong)


def judge_alone(serving: CrossUsage, terms: MatchTerms) -> tuple[MatchCode, ...]:
    """Return what is wrong with a serving platform's record whatever home saw."""
    return () if is_of_price(serving, terms) else (MatchCode.AMOUNT_NOT_OF_PRICE,)


def has_output_above_bytes(home: CrossUsage, serving: CrossUsage) -> bool:
    """Tell whether more tokens were made than home saw bytes: a token that is shown has at least one byte."""
    has_left_early = CallOutcome.CLIENT_CLOSED in (home.outcome, serving.outcome)
    return not has_left_early and _count(serving, TokenClass.OUTPUT) > home.response_bytes


def has_input_above_bytes(home: CrossUsage, serving: CrossUsage, terms: MatchTerms) -> bool:
    """Tell whether a prompt has more tokens than bytes, beside what the model's template adds."""
    return _count(serving, *_PROMPT) > home.request_bytes + terms.template_tokens_max


def is_of_price(serving: CrossUsage, terms: MatchTerms) -> bool:
    """Tell whether an amount is at most what the pinned price makes of the quantities; without a price nothing follows."""
    if terms.nano_per_million is None:
        return False
    try:
        return serving.amount_nano <= compute_amount_nano(terms.nano_per_million, serving.quantities)
    except InvalidInput:
        return False


def find_limit(home: CrossUsage, terms: MatchTerms) -> int:
    """Return how many tokens were asked for: of hidden reasoning, which no byte shows, this is the only bound."""
    return terms.output_tokens_max if home.max_tokens is None else home.max_tokens


def _count(usage: CrossUsage, *classes: TokenClass) -> int:
    return sum(usage.quantities.get(each, 0) for each in classes)


def _name_terms(usage: CrossUsage) -> tuple[object, ...]:
    return usage.ticket_id, usage.price_id, usage.currency, usage.model, usage.model_digest


def _name_parties(usage: CrossUsage) -> tuple[object, ...]:
    return usage.home_id, usage.serving_id, usage.organization_id, usage.admitted_at_ms
