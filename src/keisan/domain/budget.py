"""A budget: a bound on what a holder may spend and have set aside in a period, in one currency (R1).

It holds no money: balances move by postings alone. Time is counted in steps, of which a period is the present one and
those before it: a calendar month is one step, a rolling window sixty, and a lifetime one that never ends.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from keisan.domain.errors import InvalidInput
from keisan.domain.holder import Holder
from keisan.domain.ids import BudgetId, KeyId, OrganizationId, PlatformId, ProjectId
from keisan.domain.limits import BUDGET_WINDOW_S_MAX, BUDGET_WINDOW_S_MIN

WINDOW_STEPS = 60
MONTHS_PER_YEAR = 12
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DEFAULT_TIME_ZONE = "UTC"


class PeriodKind(StrEnum):
    """For how long a budget's amount is: the calendar month of its organization, the last `window_s`, or for ever."""

    MONTH = "month"
    ROLLING = "rolling"
    LIFETIME = "lifetime"


@dataclass(frozen=True, slots=True)
class Budget:
    """`amount_nano` in nano-units of `currency`; `window_s` is that of a rolling period, None for others.

    Its holder is the finest of the three that is named. There is one of each holder, currency and kind of period.
    """

    id: BudgetId
    platform_id: PlatformId
    organization_id: OrganizationId
    project_id: ProjectId | None
    key_id: KeyId | None
    currency: str
    amount_nano: int
    period: PeriodKind
    window_s: int | None
    version: int
    created_at: datetime

    @property
    def holder(self) -> Holder:
        """Return whose spending it bounds."""
        return Holder(self.organization_id, self.project_id, self.key_id)

    @property
    def period_steps(self) -> int:
        """Return of how many steps a period is."""
        return WINDOW_STEPS if self.period is PeriodKind.ROLLING else 1

    def count_step(self, instant: datetime, time_zone: str) -> int:
        """Return the number of the step that an instant is in.

        A month is numbered by its name in the time zone, not by when it begins: another zone does not begin it anew.
        """
        if self.period is PeriodKind.LIFETIME:
            return 0
        if self.period is PeriodKind.MONTH:
            local = instant.astimezone(ZoneInfo(time_zone))
            return local.year * MONTHS_PER_YEAR + local.month - 1
        assert self.window_s is not None, "a rolling period has a window"
        return (instant - EPOCH) // timedelta(seconds=self.window_s // WINDOW_STEPS)


def check_window(period: PeriodKind, window_s: int | None) -> None:
    """Raise InvalidInput unless a rolling period, and no other, has a window of whole steps within the limits."""
    if period is not PeriodKind.ROLLING:
        if window_s is not None:
            raise InvalidInput(f"expected no window for the period '{period}'", "window_s")
        return
    if window_s is None or not BUDGET_WINDOW_S_MIN <= window_s <= BUDGET_WINDOW_S_MAX or window_s % WINDOW_STEPS:
        expected = f"{BUDGET_WINDOW_S_MIN} to {BUDGET_WINDOW_S_MAX} seconds, a multiple of {WINDOW_STEPS}"
        raise InvalidInput(f"expected a window of {expected}, got {window_s}", "window_s")


def check_time_zone(name: str) -> str:
    """Return the name; raises InvalidInput unless it is one of the IANA database."""
    if name not in _list_time_zones():
        raise InvalidInput(f"expected the name of a time zone such as Asia/Tokyo, got '{name}'", "time_zone")
    return name


@cache
def _list_time_zones() -> frozenset[str]:
    return frozenset(available_timezones())
