"""Forecasts on the wire; amounts are decimal strings of nano-units, null where there is no forecast."""

from datetime import date, datetime
from uuid import UUID

from keisan.domain.budget import PeriodKind
from keisan.domain.forecast import BudgetOutlook, ForecastMethod
from keisan.wire.base import NanoText, WireInput, WireView


class ForecastQuery(WireInput):
    """Of one project or one key of the organization; with neither named, of the whole of it."""

    project_id: UUID | None = None
    key_id: UUID | None = None


class ForecastRange(WireView):
    """What was spent, and what the month ends with: from `low_nano` to `high_nano`, `expected_nano` in the middle.

    `week_count` is of how many whole weeks before today it is made; without a method there is no forecast.
    """

    currency: str
    method: ForecastMethod
    week_count: int
    spent_nano: NanoText
    low_nano: NanoText | None
    expected_nano: NanoText | None
    high_nano: NanoText | None


class ForecastView(WireView):
    """The running month of a holder, by currency; `coverage_ppm` is how often months end within the range, if days vary alone.

    Days are those of the organization's time zone, and the month is a calendar month there.
    """

    organization_id: UUID
    project_id: UUID | None
    key_id: UUID | None
    time_zone: str
    first_day: date
    last_day: date
    made_at: datetime
    coverage_ppm: int
    lines: tuple[ForecastRange, ...]


class BudgetForecastView(ForecastRange):
    """Whether a budget will be used up by the end of the running month; `used_up_on` is the day, if it is expected or possible.

    What is spent counts as the budget counts it. A rolling budget has no forecast.
    """

    budget_id: UUID
    organization_id: UUID
    project_id: UUID | None
    key_id: UUID | None
    period: PeriodKind
    amount_nano: NanoText
    outlook: BudgetOutlook
    used_up_on: date | None
