"""Share rules on values: never more than the whole is out, and demand is met wherever it arrives."""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from keisan.domain.share import SHARE_WHOLE_PPM
from keisan.ledger.rule_share import DIVIDED_PER_MINUTE, RESERVE_PPM, STEP_PPM, Holding, SharedLimit, choose_share_ppm
from tests.domain.samples import name_id

GATEWAYS_MAX = 5


def hold(number: int, share_ppm: int, demand_per_minute: int = 0) -> Holding:
    return Holding(name_id(4, number), share_ppm, demand_per_minute)


def choose(per_minute: int, own: Holding, *others: Holding) -> int:
    return choose_share_ppm(SharedLimit(per_minute, own, others, 1 + len(others)))


def test_gateway_that_is_alone_has_the_whole() -> None:
    assert choose(1, hold(1, 0)) == SHARE_WHOLE_PPM
    assert choose(10**9, hold(1, 5, 3)) == SHARE_WHOLE_PPM


def test_small_limit_goes_whole_to_the_gateway_that_is_asked() -> None:
    assert choose(119, hold(1, 0, 1), hold(2, 0)) == SHARE_WHOLE_PPM
    assert choose(119, hold(1, 0), hold(2, 0, 1)) == 0
    assert choose(120, hold(1, 0, 1), hold(2, 0)) < SHARE_WHOLE_PPM


def test_home_moves_only_to_where_it_is_wanted_much_more() -> None:
    assert choose(10, hold(1, SHARE_WHOLE_PPM, 4), hold(2, 0, 8)) == SHARE_WHOLE_PPM
    assert choose(10, hold(1, SHARE_WHOLE_PPM, 4), hold(2, 0, 9)) == 0
    assert choose(10, hold(2, 0, 9), hold(1, SHARE_WHOLE_PPM, 4)) == 0, "not before the other has let go"
    assert choose(10, hold(2, 0, 9), hold(1, 0, 4)) == SHARE_WHOLE_PPM


def test_large_limit_is_divided_however_many_gateways_there_are() -> None:
    others = [hold(number, 0) for number in range(2, 40)]
    assert 0 < choose(DIVIDED_PER_MINUTE, hold(1, 0, 10), *others) < SHARE_WHOLE_PPM
    assert choose(DIVIDED_PER_MINUTE - 1, hold(1, 0, 10), *others) == SHARE_WHOLE_PPM


def test_reserve_is_left_while_demand_allows_it() -> None:
    assert choose(1000, hold(1, 0, 100), hold(2, 0)) == 550_000
    assert choose(1000, hold(1, 0, 900), hold(2, 0)) == 950_000


def test_calls_at_once_are_divided_by_demand_alone() -> None:
    """Ten calls a minute may be two thousand at once."""
    own, other = hold(1, 0, 10), hold(2, 0, 30)
    assert choose_share_ppm(SharedLimit(2000, own, [other], 2, is_rate=False)) == SHARE_WHOLE_PPM // 4
    assert choose_share_ppm(SharedLimit(2000, own, [hold(2, 0)], 2, is_rate=False)) == SHARE_WHOLE_PPM
    assert choose_share_ppm(SharedLimit(2000, hold(1, 7), [hold(2, 0)], 2, is_rate=False)) == 7


def test_idle_share_stays_until_somebody_needs_it() -> None:
    idle = hold(1, SHARE_WHOLE_PPM - RESERVE_PPM)
    assert choose(1000, idle, hold(2, 0)) == idle.share_ppm
    assert choose(1000, replace(idle, share_ppm=SHARE_WHOLE_PPM), hold(2, 0)) == idle.share_ppm
    assert choose(1000, idle, hold(2, RESERVE_PPM, 2000)) == 0


def test_small_changes_are_not_worth_an_exchange() -> None:
    own = hold(1, 500_000, 1000)
    assert choose(1000, own, hold(2, 499_000, 1001)) == own.share_ppm


def test_what_another_may_be_using_is_not_given_away() -> None:
    assert choose(1000, hold(1, 0, 5000), hold(2, 700_000)) == 300_000
    assert choose(1000, hold(1, 600_000, 5000), hold(2, SHARE_WHOLE_PPM)) == 0


HOLDINGS = st.tuples(st.integers(0, SHARE_WHOLE_PPM), st.integers(0, 10**6))


@given(st.integers(1, 10**7), st.lists(HOLDINGS, min_size=1, max_size=6), st.integers(1, 8))
def test_no_share_raises_the_sum_above_the_whole(
    per_minute: int, drawn: list[tuple[int, int]], gateway_count: int
) -> None:
    own, *others = [hold(number, *values) for number, values in enumerate(drawn)]
    told_ppm = choose_share_ppm(SharedLimit(per_minute, own, others, gateway_count))
    assert 0 <= told_ppm <= SHARE_WHOLE_PPM
    assert told_ppm <= max(0, SHARE_WHOLE_PPM - sum(other.share_ppm for other in others))


@dataclass
class Fleet:
    """Gateways that exchange in turn. `bounds` is what the platform takes each to use, `used` what each does use."""

    per_minute: int
    count: int
    bounds: list[int] = field(default_factory=list)
    used: list[int] = field(default_factory=list)
    demands: list[int] = field(default_factory=list)
    known: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        for values in (self.bounds, self.used, self.demands, self.known):
            values.extend([0] * self.count)

    def exchange(self, number: int, *, is_answer_lost: bool = False) -> None:
        """Let one gateway report and be answered; what it reports is what it uses."""
        self.bounds[number], self.known[number] = self.used[number], self.demands[number]
        holdings = [hold(each, self.bounds[each], self.known[each]) for each in range(self.count)]
        own = holdings.pop(number)
        told_ppm = choose_share_ppm(SharedLimit(self.per_minute, own, holdings, self.count))
        self.bounds[number] = max(self.bounds[number], told_ppm)
        if not is_answer_lost:
            self.used[number] = told_ppm

    def renew(self) -> None:
        """Let three renewals pass: each gateway speaks, and at once again where it is told to use less."""
        for _ in range(3):
            for number in range(self.count):
                before = self.used[number]
                self.exchange(number)
                if self.used[number] < before:
                    self.exchange(number)

    def count_admitted(self) -> float:
        shares = (self.per_minute * share / SHARE_WHOLE_PPM for share in self.used)
        return sum(min(share, demand) for share, demand in zip(shares, self.demands, strict=True))


@settings(max_examples=300)
@given(
    st.integers(DIVIDED_PER_MINUTE, 10**6),
    st.lists(st.integers(0, 100), min_size=2, max_size=8).filter(any),
    st.lists(st.integers(0, 100), min_size=8, max_size=8),
)
def test_twice_the_limit_admits_99_percent_wherever_it_arrives(
    per_minute: int, weights: list[int], earlier: list[int]
) -> None:
    fleet = Fleet(per_minute, len(weights))
    fleet.demands = [per_minute * weight // 50 for weight in earlier[: len(weights)]]
    fleet.renew()
    fleet.demands = [-(-2 * per_minute * weight // sum(weights)) for weight in weights]
    fleet.renew()
    assert fleet.count_admitted() >= per_minute * 99 // 100
    assert sum(fleet.used) <= SHARE_WHOLE_PPM


def test_small_limit_is_used_whole_where_most_is_wanted() -> None:
    fleet = Fleet(60, 3)
    fleet.demands = [10, 200, 20]
    fleet.renew()
    assert fleet.used == [0, SHARE_WHOLE_PPM, 0]


def test_new_gateway_is_served_at_once_while_there_is_a_reserve() -> None:
    fleet = Fleet(10_000, 3)
    fleet.demands = [1000, 1000, 0]
    fleet.renew()
    fleet.demands = [1000, 1000, 500]
    fleet.exchange(2)
    assert fleet.used[2] >= 50_000


class Shares(RuleBasedStateMachine):
    """Exchanges in any order, with answers that are lost and limits of any size: what is used never exceeds the whole."""

    def __init__(self) -> None:
        super().__init__()
        self.fleet = Fleet(1000, GATEWAYS_MAX)

    @rule(number=st.integers(0, GATEWAYS_MAX - 1), is_answer_lost=st.booleans())
    def exchange(self, number: int, *, is_answer_lost: bool) -> None:
        self.fleet.exchange(number, is_answer_lost=is_answer_lost)

    @rule(number=st.integers(0, GATEWAYS_MAX - 1), demand=st.sampled_from([0, 1, 50, 900, 5000]))
    def want(self, number: int, demand: int) -> None:
        self.fleet.demands[number] = demand

    @rule(per_minute=st.sampled_from([1, 59, 299, 300, 1000, 100_000]))
    def change_limit(self, per_minute: int) -> None:
        self.fleet.per_minute = per_minute

    @invariant()
    def never_more_than_the_whole_is_used(self) -> None:
        assert sum(self.fleet.used) <= sum(self.fleet.bounds) <= SHARE_WHOLE_PPM


def test_shares_never_exceed_the_whole() -> None:
    run_state_machine_as_test(Shares, settings=settings(max_examples=200, stateful_step_count=40))


@pytest.mark.parametrize("count", [2, 5, 20])
def test_smoothing_costs_less_than_a_percent(count: int) -> None:
    assert STEP_PPM // count * count <= SHARE_WHOLE_PPM // 100
