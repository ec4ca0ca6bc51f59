"""Demand is an average over the last seconds, however often it is counted."""

from keisan.gateway.demand import SMOOTHING_S, Demand


def test_steady_demand_is_known_soon_however_often_it_is_counted() -> None:
    for step_s in (0.1, 1.0, 10.0):
        demand, told = Demand(), dict[str, int]()
        for _ in range(int(5 * SMOOTHING_S / step_s)):
            told = dict(demand.note({"a": 600}, step_s))
        assert 590 <= told["a"] <= 601


def test_one_call_in_a_short_time_is_no_flood() -> None:
    assert Demand().note({"a": 600}, 0.1) == {"a": 6}


def test_silence_is_not_taken_for_the_end_of_demand_at_once() -> None:
    demand = Demand()
    for _ in range(10):
        demand.note({"a": 600}, 10)
    assert demand.note({}, 0.1)["a"] > 590
    assert demand.note({}, 100) == {}
    assert demand.note({"b": 60}, 0) == {}
