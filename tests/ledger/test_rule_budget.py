"""Budget rules on values: no period passes its amount, whatever clocks say, and nothing that was spent is lost."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from keisan.domain.budget import WINDOW_STEPS, Budget, PeriodKind
from keisan.domain.holder import Holder
from keisan.domain.ids import KeyId, OrganizationId
from keisan.ledger.rule_budget import PERIODS_KEPT, BudgetBook, Spending, count_spendings
from tests.domain.samples import KEY_ID, NOW, ORGANIZATION_ID, PROJECT_ID, build_budget, name_id

HOLDER = Holder(ORGANIZATION_ID, PROJECT_ID, KEY_ID)
MONTH, LIFETIME = build_budget(), build_budget(period=PeriodKind.LIFETIME)
ROLLING = build_budget(period=PeriodKind.ROLLING, window_s=3600)
KINDS = (MONTH, ROLLING, LIFETIME)
PARTS = st.sampled_from([1, 1, 2])
LAST_MONTH = datetime(2026, 10, 31, 23, tzinfo=UTC)


def build_spending(amount_nano: int, admitted_at: datetime = NOW) -> Spending:
    return Spending(HOLDER, "CNY", amount_nano, admitted_at)


def open_book(budget: Budget = MONTH, time_zone: str = "UTC") -> BudgetBook:
    return BudgetBook(budget, time_zone, {})


def sum_all(book: BudgetBook) -> int:
    return sum(book.spent_by_step.values())


@pytest.mark.parametrize("budget", KINDS, ids=lambda budget: budget.period)
def test_record_counts_when_it_was_admitted(budget: Budget) -> None:
    (book,) = count_spendings([open_book(budget)], [build_spending(30), build_spending(20)], NOW)
    assert book.spent_by_step == {budget.count_step(NOW, "UTC"): 50}
    assert book.sum_present(NOW) == 50


def test_record_of_last_month_counts_there_while_there_is_room() -> None:
    books = count_spendings([open_book()], [build_spending(60, LAST_MONTH)], NOW)
    assert books[0].sum_present(NOW) == 0
    (book,) = count_spendings(books, [build_spending(60, LAST_MONTH), build_spending(40, LAST_MONTH)], NOW)
    present = MONTH.count_step(NOW, "UTC")
    # The first of the two would have passed the amount there, the second fills it.
    assert book.spent_by_step == {present - 1: 100, present: 60}


@pytest.mark.parametrize("ahead_s", [3600, 40 * 86_400])
def test_record_of_a_later_step_than_now_counts_now(ahead_s: int) -> None:
    for budget in KINDS:
        ahead = NOW + timedelta(seconds=ahead_s)
        (book,) = count_spendings([open_book(budget)], [build_spending(7, ahead)], NOW)
        assert book.spent_by_step == {budget.count_step(NOW, "UTC"): 7}


def test_record_of_long_ago_counts_now() -> None:
    """What its period came to is not kept any more."""
    long_ago = NOW - timedelta(days=62)
    (book,) = count_spendings([open_book()], [build_spending(7, long_ago)], NOW)
    assert book.sum_present(NOW) == 7


def test_what_was_spent_leaves_the_window_step_by_step() -> None:
    book = open_book(ROLLING)
    for minutes in range(3):
        at = NOW + timedelta(minutes=minutes)
        (book,) = count_spendings([book], [build_spending(10, at)], at)
    left = [book.sum_present(NOW + timedelta(minutes=minutes)) for minutes in (2, 59, 60, 61, 62)]
    assert left == [30, 30, 20, 10, 0]


def test_late_record_has_room_in_every_window_that_it_is_in() -> None:
    """Its own minute is empty; a window that ends later, which it is in, is full."""
    later = NOW + timedelta(minutes=30)
    (book,) = count_spendings([open_book(ROLLING)], [build_spending(100, later)], later)
    now = later + timedelta(minutes=20)
    (book,) = count_spendings([book], [build_spending(1, NOW)], now)
    assert book.spent_by_step[ROLLING.count_step(now, "UTC")] == 1


def test_clock_that_is_set_back_finds_the_step_that_was_present() -> None:
    ahead = NOW + timedelta(days=30)
    book = open_book().begin_step(ahead)
    assert book.find_present(NOW) == MONTH.count_step(ahead, "UTC")
    (spent,) = count_spendings([book], [build_spending(100)], NOW)
    assert (spent.sum_present(NOW), spent.sum_present(ahead)) == (0, 0), "it is last month's, where there is room"
    (spent,) = count_spendings([spent], [build_spending(1)], NOW)
    assert (spent.sum_present(NOW), spent.sum_present(ahead)) == (1, 1)


def test_another_time_zone_begins_no_month_anew() -> None:
    (book,) = count_spendings([open_book()], [build_spending(100)], NOW)
    assert replace(book, time_zone="Asia/Tokyo").sum_present(NOW) == 100


@pytest.mark.parametrize(
    "other",
    [
        Spending(HOLDER, "USD", 5, NOW),
        Spending(Holder(OrganizationId(name_id(1, 2))), "CNY", 5, NOW),
        Spending(Holder(ORGANIZATION_ID, PROJECT_ID, KeyId(name_id(3, 2))), "CNY", 5, NOW),
        Spending(Holder(ORGANIZATION_ID), "CNY", 5, NOW),
    ],
    ids=["currency", "organization", "key", "wider"],
)
def test_only_what_a_budget_bounds_counts_on_it(other: Spending) -> None:
    book = open_book(build_budget(project_id=PROJECT_ID, key_id=KEY_ID))
    assert count_spendings([book], [other], NOW) == (book,)
    assert sum_all(count_spendings([book], [build_spending(5)], NOW)[0]) == 5


def test_steps_that_nothing_needs_are_forgotten() -> None:
    book = open_book(ROLLING)
    for minutes in range(4 * WINDOW_STEPS):
        at = NOW + timedelta(minutes=minutes)
        (book,) = count_spendings([book], [build_spending(1, at)], at)
    assert len(book.spent_by_step) == PERIODS_KEPT * WINDOW_STEPS
    assert book.sum_present(NOW) == WINDOW_STEPS


def test_step_that_a_late_record_could_overfill_is_not_forgotten() -> None:
    (book,) = count_spendings([open_book(ROLLING)], [build_spending(100)], NOW)
    admitted_at = NOW + timedelta(minutes=WINDOW_STEPS - 1)
    now = admitted_at + timedelta(minutes=2 * WINDOW_STEPS - 1)
    book = book.begin_step(now)
    (book,) = count_spendings([book], [build_spending(1, admitted_at)], now)
    assert book.sum_present(now) == 1


@dataclass
class Kept:
    """A book, what is held under it, and all that was ever counted, by step: nothing of it is forgotten here."""

    book: BudgetBook
    held_nano: int = 0
    counted: dict[int, int] = field(default_factory=dict)

    def sum_window(self, last_step: int) -> int:
        width = self.book.budget.period_steps
        return sum(nano for step, nano in self.counted.items() if last_step - width < step <= last_step)


class Periods(RuleBasedStateMachine):
    """Credit is set aside and spent in any order, by clocks that jump both ways, and amounts are changed."""

    @initialize(budget=st.sampled_from(KINDS))
    def open(self, budget: Budget) -> None:
        self.now = NOW
        self.kept = Kept(open_book(budget))
        self.most_nano = budget.amount_nano

    @rule(part=PARTS)
    def lease(self, part: int) -> None:
        kept = self.kept
        kept.book = kept.book.begin_step(self.now)
        available_nano = kept.book.budget.amount_nano - kept.book.sum_present(self.now) - kept.held_nano
        kept.held_nano += max(0, available_nano) // part

    @precondition(lambda self: self.kept.held_nano)
    @rule(part=PARTS, ago=st.sampled_from([0, 0, 1, 30, 60, 60, 61, 118, -60]))
    def post(self, part: int, ago: int) -> None:
        """Post a record that was admitted some sixtieths of a period ago."""
        amount_nano = self.kept.held_nano // part
        before = self.kept.book
        spending = build_spending(amount_nano, self.now - ago * self.step)
        (self.kept.book,) = count_spendings([before], [spending], self.now)
        moved = {
            step: nano - before.spent_by_step.get(step, 0)
            for step, nano in self.kept.book.spent_by_step.items()
            if nano != before.spent_by_step.get(step, 0)
        }
        assert sum(moved.values()) == amount_nano, "what was spent is counted once"
        for step, nano in moved.items():
            self.kept.counted[step] = self.kept.counted.get(step, 0) + nano
        self.kept.held_nano -= amount_nano

    @property
    def step(self) -> timedelta:
        """Return a sixtieth of the period, of a month of 30 days."""
        return timedelta(minutes=1) if self.kept.book.budget.period is PeriodKind.ROLLING else timedelta(hours=12)

    @precondition(lambda self: self.kept.held_nano)
    @rule(part=PARTS)
    def give_back(self, part: int) -> None:
        self.kept.held_nano -= self.kept.held_nano // part

    @rule(steps=st.sampled_from([1, 30, 60, 61, -1, -60]))
    def move_clock(self, steps: int) -> None:
        self.now += steps * self.step

    @rule(amount_nano=st.sampled_from([60, 100, 140]))
    def change_amount(self, amount_nano: int) -> None:
        self.kept.book = replace(self.kept.book, budget=replace(self.kept.book.budget, amount_nano=amount_nano))
        self.most_nano = max(self.most_nano, amount_nano)

    @rule(time_zone=st.sampled_from(["UTC", "Asia/Tokyo", "America/Los_Angeles"]))
    def move_organization(self, time_zone: str) -> None:
        self.kept.book = replace(self.kept.book, time_zone=time_zone)

    @invariant()
    def no_period_passes_its_amount(self) -> None:
        kept = self.kept
        assert kept.book.sum_present(self.now) + kept.held_nano <= self.most_nano
        for step in kept.counted:
            for last_step in range(step, step + kept.book.budget.period_steps):
                assert kept.sum_window(last_step) <= self.most_nano


def test_no_period_passes_its_amount_whatever_happens() -> None:
    run_state_machine_as_test(Periods, settings=settings(max_examples=300, stateful_step_count=30, deadline=None))
