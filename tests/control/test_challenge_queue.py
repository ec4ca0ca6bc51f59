"""Answers that wait to be checked: sites in turn, within bounds, and a flood of one site costs another nothing."""

import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.control.challenge_queue import CheckQueue, CheckTurns, WaitingCheck
from keisan.domain.errors import Postponed
from keisan.domain.ids import ChallengeId, SiteId
from keisan.kit.ids import create_id
from tests.deadline import wait_until
from tests.domain.samples import name_id

FLOOD = 100
CHECK_S = 3


def name_site(number: int) -> SiteId:
    return SiteId(name_id(6, number))


def build_waiting(number: int = 0) -> WaitingCheck:
    return WaitingCheck(ChallengeId(name_id(21, number)), lambda: number, Future())


@given(sites=st.lists(st.integers(min_value=0, max_value=5), max_size=60))
def test_sites_have_their_turns_one_after_another(sites: list[int]) -> None:
    """Between two checks of a site, each other site whose check waits has exactly one."""
    turns = CheckTurns(waiting_max=100, site_max=100)
    owners = {}
    for number, site in enumerate(sites):
        waiting = build_waiting(number)
        owners[waiting.challenge_id] = site
        assert turns.add(name_site(site), waiting) is None
    left = Counter(sites)
    since: dict[int, list[int]] = {site: [] for site in left}
    numbers: dict[int, list[int]] = {site: [] for site in left}
    while (found := turns.take_next()) is not None:
        site = owners[found.challenge_id]
        assert all(count == 1 for count in Counter(since[site]).values())
        if numbers[site]:
            assert set(since[site]) >= {other for other in left if left[other] and other != site}
        numbers[site].append(found.check() or 0)
        left[site] -= 1
        since[site] = []
        for other in left:
            since[other] += [site] if other != site else []
    assert not +left
    # Of one site, the first that came is the first.
    assert all(each == sorted(each) for each in numbers.values())


@given(
    steps=st.lists(st.integers(min_value=0, max_value=9) | st.none(), max_size=200),
    waiting_max=st.integers(min_value=1, max_value=12),
    site_max=st.integers(min_value=1, max_value=5),
)
def test_what_waits_is_bounded_and_the_greedy_give_way(
    steps: Sequence[int | None], waiting_max: int, site_max: int
) -> None:
    turns = CheckTurns(waiting_max, site_max)
    held: Counter[int] = Counter()
    owners: dict[ChallengeId, int] = {}
    for number, site in enumerate(steps):
        if site is None:
            taken = turns.take_next()
            assert (taken is None) is (not +held)
            if taken is not None:
                held[owners[taken.challenge_id]] -= 1
            continue
        waiting = build_waiting(number)
        owners[waiting.challenge_id] = site
        try:
            given_up = turns.add(name_site(site), waiting)
        except Postponed:
            # It has its share already, or nobody has more.
            assert held[site] == site_max or max(held.values()) <= held[site] + 1
            continue
        held[site] += 1
        if given_up is not None:
            held[owners[given_up.challenge_id]] -= 1
            assert owners[given_up.challenge_id] != site
        assert turns.count == held.total() <= waiting_max
        assert max(held.values()) <= site_max


def test_one_check_at_a_time_and_one_for_a_challenge() -> None:
    queue, gate, inside, most = CheckQueue(), threading.Event(), [0], [0]

    def check() -> int:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        gate.wait(30)
        inside[0] -= 1
        return 7

    keys = [ChallengeId(create_id()) for _ in range(3)]
    futures = [queue.put(name_site(number % 2), key, check) for number, key in enumerate([*keys, *keys])]
    assert [futures.index(each) for each in futures] == [0, 1, 2, 0, 1, 2]
    gate.set()
    assert [each.result(30) for each in futures] == [7] * 6
    assert most == [1]
    # Once it is over, the next is another.
    again = queue.put(name_site(0), keys[0], check)
    assert again is not futures[0]
    assert again.result(30) == 7


def test_check_that_breaks_is_told_and_holds_nobody_up() -> None:
    queue = CheckQueue()
    broken = queue.put(name_site(0), ChallengeId(create_id()), lambda: 1 // 0)
    after = queue.put(name_site(0), ChallengeId(create_id()), lambda: 3)
    assert isinstance(broken.exception(30), ZeroDivisionError)
    assert after.result(30) == 3


def test_who_gives_way_is_told() -> None:
    queue, gate = CheckQueue(CheckTurns(waiting_max=2, site_max=2)), threading.Event()
    begun = threading.Event()

    def wait() -> None:
        begun.set()
        gate.wait(30)

    first = queue.put(name_site(0), ChallengeId(create_id()), wait)
    wait_until(begun.is_set, "the first is under way")
    greedy = [queue.put(name_site(0), ChallengeId(create_id()), lambda: 1) for _ in range(2)]
    with pytest.raises(Postponed):
        queue.put(name_site(0), ChallengeId(create_id()), lambda: 1)
    other = queue.put(name_site(1), ChallengeId(create_id()), lambda: 2)
    assert isinstance(greedy[1].exception(30), Postponed)
    gate.set()
    assert (first.result(30), greedy[0].result(30), other.result(30)) == (None, 1, 2)
