"""On which terms a record's amount is split: what was in force when its call was admitted. Pure.

Terms change at few instants, so they are chosen once for each context and each time between two of them.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime

from keisan.domain.deduction import Deduction, DeductionKind, choose_rate_ppm
from keisan.domain.offer import Offer, choose_offer
from keisan.domain.usage import UsageContext, UsageRecord
from keisan.domain.validity import Valid
from keisan.kit.identity_map import IdentityMap
from keisan.ledger.rule_split import SplitTerms


class TermsBook:
    """All offers and deductions that records may have been admitted under."""

    def __init__(self, offers: Sequence[Offer], deductions: Sequence[Deduction]) -> None:
        self._offers = offers
        self._deductions = deductions
        self._changes = list_changes([*offers, *deductions])
        self._chosen: IdentityMap[UsageContext, dict[tuple[str, int], SplitTerms]] = IdentityMap(lambda _: {})

    def choose_terms(self, record: UsageRecord, currency: str) -> SplitTerms:
        """Return the terms of a record that is paid for in a currency."""
        own, key = self._chosen.get(record.context), (currency, bisect_right(self._changes, record.admitted_at))
        terms = own.get(key)
        if terms is None:
            terms = own[key] = self._choose(record.context, currency, record.admitted_at)
        return terms

    def _choose(self, context: UsageContext, currency: str, at: datetime) -> SplitTerms:
        offer = choose_offer(self._offers, context.provider_id, context.model_id, currency, at)
        return SplitTerms(
            offer_nano_per_million=offer.nano_per_million if offer is not None else None,
            margin_ppm=choose_rate_ppm(self._deductions, DeductionKind.MARGIN, context.provider_id, at),
            tax_ppm=choose_rate_ppm(self._deductions, DeductionKind.TAX, context.organization_id, at),
        )


def list_changes(versions: Sequence[Valid]) -> list[datetime]:
    """Return the instants at which a version begins or ends to hold, in order; each is the first of a new time."""
    found = {version.effective_from for version in versions}
    found |= {version.effective_until for version in versions if version.effective_until is not None}
    return sorted(found)
