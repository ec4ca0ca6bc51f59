"""Deductions on the wire: the platform's margins and tax, in millionths."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field

from keisan.domain.deduction import RATE_PPM_MAX, DeductionKind
from keisan.wire.base import WireInput, WireView


class DeductionCreate(WireInput):
    """A new version of a margin, of one provider or everybody's, or of tax, of one organization or everybody's.

    It holds from `effective_from`, by default from now, until `effective_until`, by default until a newer one does.
    """

    kind: DeductionKind
    provider_id: UUID | None = None
    organization_id: UUID | None = None
    rate_ppm: Annotated[int, Field(ge=0, le=RATE_PPM_MAX)]
    effective_from: AwareDatetime | None = None
    effective_until: AwareDatetime | None = None


class DeductionView(WireView):
    """A deduction's version as the API shows it; without a rate its subject has none of its own from then on."""

    id: UUID
    platform_id: str
    kind: DeductionKind
    provider_id: UUID | None
    organization_id: UUID | None
    rate_ppm: int | None
    effective_from: datetime
    effective_until: datetime | None
    is_withdrawn: bool
    version: int
    created_at: datetime
