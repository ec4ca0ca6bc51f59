"""Budget rules: in which step of which budget a record counts, and what is left of a period. Values in, values out.

A record moves what it cost from what its ticket holds to what was spent, in every budget that bounds the ticket. So no
period passes its amount, whatever clocks say: a record that has no room where it was admitted counts in the present step,
from what was held there.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from keisan.domain.budget import Budget
from keisan.domain.holder import Holder

# Steps of as many periods are kept: of a record's own period, of those that it could overfill, and one more.
PERIODS_KEPT = 3
# A record that was admitted longer ago than the period before the present one counts in the present step.
PERIODS_COUNTED = 2


@dataclass(frozen=True, slots=True)
class Spending:
    """What one record cost, paid by a ticket of `holder`, and when its call was admitted."""

    holder: Holder
    currency: str
    amount_nano: int
    admitted_at: datetime


@dataclass(frozen=True, slots=True)
class BudgetBook:
    """A budget and what was spent of it, by step; `time_zone` is its organization's."""

    budget: Budget
    time_zone: str
    spent_by_step: Mapping[int, int]

    def find_present(self, now: datetime) -> int:
        """Return the present step: never one before a step that was present already, so a clock may be set back."""
        return max(self.budget.count_step(now, self.time_zone), *self.spent_by_step, 0)

    def begin_step(self, now: datetime) -> "BudgetBook":
        """Return the book with the present step written down, and without those that nothing can need any more."""
        present = self.find_present(now)
        kept_after = present - PERIODS_KEPT * self.budget.period_steps
        kept = {step: spent_nano for step, spent_nano in self.spent_by_step.items() if step > kept_after}
        return replace(self, spent_by_step={present: 0} | kept)

    def sum_period(self, last_step: int) -> int:
        """Return what was spent in the period that ends with a step."""
        first_step = last_step - self.budget.period_steps + 1
        return sum(spent_nano for step, spent_nano in self.spent_by_step.items() if first_step <= step <= last_step)

    def sum_present(self, now: datetime) -> int:
        """Return what was spent in the present period."""
        return self.sum_period(self.find_present(now))

    def spend(self, spending: Spending, now: datetime) -> "BudgetBook":
        """Return the book after a record, which counts when it was admitted if there is room, and else now."""
        present = self.find_present(now)
        step = self.budget.count_step(spending.admitted_at, self.time_zone)
        if not self._has_room(step, spending.amount_nano, present):
            step = present
        spent_nano = self.spent_by_step.get(step, 0) + spending.amount_nano
        return replace(self, spent_by_step={**self.spent_by_step, step: spent_nano})

    def _has_room(self, step: int, amount_nano: int, present: int) -> bool:
        """Tell whether a step is one of the past, and every past period that it is in has room.

        The present period always has: what the ticket held was set aside in it.
        """
        width = self.budget.period_steps
        if not present - PERIODS_COUNTED * width < step <= present:
            return False
        ends = range(step, min(step + width, present))
        return all(self.sum_period(end) + amount_nano <= self.budget.amount_nano for end in ends)


def count_spendings(
    books: Iterable[BudgetBook], spendings: Sequence[Spending], now: datetime
) -> tuple[BudgetBook, ...]:
    """Return the books after records, in order; each counts in all that bound its ticket."""
    counted = []
    for book in books:
        after = book
        for spending in spendings:
            if book.budget.currency == spending.currency and book.budget.holder.is_over(spending.holder):
                after = after.spend(spending, now)
        counted.append(after if after is book else after.begin_step(now))
    return tuple(counted)
