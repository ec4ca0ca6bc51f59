"""Budgets on the wire; amounts are decimal strings of nano-units."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from pydantic import Field

from keisan.domain.budget import PeriodKind
from keisan.wire.base import Count, Currency, NanoText, WireInput, WireView

# More than anybody has, and far from the end of what is summed.
BUDGET_NANO_MAX: Final = 10**27

BudgetNano = Annotated[NanoText, Field(ge=0, le=BUDGET_NANO_MAX)]


class BudgetCreate(WireInput):
    """A new budget of one holder: an organization, a project or a key; with none named, of the asker's organization.

    `window_s` is that of a rolling period: from an hour to 366 days, a multiple of 60, since it moves on in 60 steps.
    """

    currency: Currency
    amount_nano: BudgetNano
    period: PeriodKind
    window_s: Count | None = None
    organization_id: UUID | None = None
    project_id: UUID | None = None
    key_id: UUID | None = None


class BudgetUpdate(WireInput):
    """Another amount; needs If-Match. Below what is spent and held, nothing more is leased until there is room again."""

    amount_nano: BudgetNano


class BudgetView(WireView):
    """A budget, what was spent in its present period, and what gateways hold now for those that it bounds."""

    id: UUID
    platform_id: str
    organization_id: UUID
    project_id: UUID | None
    key_id: UUID | None
    currency: str
    amount_nano: NanoText
    period: PeriodKind
    window_s: int | None
    version: int
    created_at: datetime
    spent_nano: NanoText
    held_nano: NanoText
