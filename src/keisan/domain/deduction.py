"""Deductions: what the platform takes off the amount of a call before its provider is paid, as data.

Versions are immutable and rise by one for each kind and subject. A version without a rate withdraws the subject's own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from keisan.domain.errors import InvalidInput
from keisan.domain.ids import DeductionId, OrganizationId, PlatformId, ProviderId
from keisan.domain.validity import choose_newest

RATE_PPM_MAX = 1_000_000
EVERYBODY = "everybody"


class DeductionKind(StrEnum):
    """What is taken: the platform's margin, of what a provider earns, or tax, of what an organization pays.

    The margin is that of providers without an offer: with one, it is what lies between the offer and the price.
    """

    MARGIN = "margin"
    TAX = "tax"


@dataclass(frozen=True, slots=True)
class Deduction:
    """One version: `rate_ppm` millionths, None from when on its subject has no rate of its own any more.

    A margin is one provider's, tax is one organization's; with neither named it is everybody's who has none of their own.
    """

    id: DeductionId
    platform_id: PlatformId
    kind: DeductionKind
    provider_id: ProviderId | None
    organization_id: OrganizationId | None
    rate_ppm: int | None
    effective_from: datetime
    effective_until: datetime | None
    version: int
    created_at: datetime

    @property
    def subject(self) -> str:
        """Whose it is, as one text by which versions are counted."""
        return str(self.subject_id or EVERYBODY)

    @property
    def subject_id(self) -> UUID | None:
        """The provider or the organization, None for everybody."""
        return self.provider_id or self.organization_id

    @property
    def is_withdrawn(self) -> bool:
        """Whether this version says that its subject has no rate of its own."""
        return self.rate_ppm is None


def check_deduction(deduction: Deduction) -> None:
    """Raise InvalidInput for a rate outside 0 .. 1,000,000, a margin of an organization or tax of a provider."""
    if deduction.rate_ppm is None or not 0 <= deduction.rate_ppm <= RATE_PPM_MAX:
        raise InvalidInput(f"a rate lies within 0 and {RATE_PPM_MAX} ppm, got {deduction.rate_ppm}", "rate_ppm")
    if deduction.kind is DeductionKind.MARGIN and deduction.organization_id is not None:
        raise InvalidInput("a margin is taken of a provider's calls", "organization_id")
    if deduction.kind is DeductionKind.TAX and deduction.provider_id is not None:
        raise InvalidInput("tax is taken of an organization's calls", "provider_id")


def choose_rate_ppm(
    deductions: Iterable[Deduction], kind: DeductionKind, subject_id: ProviderId | OrganizationId, at: datetime
) -> int:
    """Return what is taken of a call that was admitted at an instant: 0 where nothing is in force.

    The subject's own rate goes before everybody's, and among versions of one subject the newest that covers the instant.
    """
    own_kind = [deduction for deduction in deductions if deduction.kind is kind]
    for subject in (subject_id, None):
        chosen = choose_newest((each for each in own_kind if each.subject_id == subject), at)
        if chosen is not None and chosen.rate_ppm is not None:
            return chosen.rate_ppm
    return 0
