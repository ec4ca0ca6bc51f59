"""The made-up fleet keeps its own laws, else what is replayed over it proves nothing."""

import pytest

from replay.fleet import Cache, FadingLoad, QueuedLoad, Request, replay
from replay.policy import Chance, LeastLoaded, RoundRobin
from replay.workload import MOONCAKE_BLOCK_TOKENS, SharedPrefix, compute_ideal_hit_ratio


def test_a_cache_counts_beginnings_and_drops_the_least_recently_used() -> None:
    cache = Cache(capacity_blocks=4)
    cache.add([1, 2, 3])
    assert (cache.count_warm([1, 2, 3, 4]), cache.count_warm([2, 3]), cache.count_warm([9])) == (3, 2, 0)
    cache.add([1, 7])
    cache.add([8])
    assert (cache.count_warm([1, 2, 3]), cache.count_warm([1, 7])) == (2, 2)
    cache.add([5, 6])
    assert cache.count_warm([1, 7]) == 1


def test_a_queue_computes_one_prompt_after_the_other() -> None:
    load = QueuedLoad([100.0, 50.0])
    load.advance(0.0)
    assert load.add(0, 0, 200) == pytest.approx(2.0)
    assert load.add(1, 0, 100) == pytest.approx(3.0)
    assert load.add(2, 1, 100) == pytest.approx(2.0)
    assert list(load.advance(2.5)) == [0, 2]
    assert load.list_backlogs() == pytest.approx([50.0, 0.0])
    assert load.add(3, 1, 50) == pytest.approx(1.0)


def test_fading_tokens_fall_to_a_third_in_their_time() -> None:
    load = FadingLoad(2, fade_s=30.0)
    load.add(0, 1, 1_000)
    assert list(load.advance(30.0)) == [0]
    assert load.list_backlogs() == pytest.approx([0.0, 367.879], abs=0.001)


def test_a_replay_counts_hits_and_work() -> None:
    requests = [Request(at_s, 250, [1, 2, 3]) for at_s in (0.0, 10.0, 70.0)]
    outcome = replay(requests, RoundRobin(), QueuedLoad([100.0] * 2), [Cache(9), Cache(9)], block_tokens=100)
    assert (outcome.hit_tokens, outcome.prompt_tokens, outcome.computed_tokens) == (250, 750, [250, 250])
    assert outcome.imbalance == pytest.approx(1.0)
    assert outcome.imbalance_window == pytest.approx(1.0)
    assert outcome.first_token_s == pytest.approx([2.5, 2.5, 0.0])
    assert compute_ideal_hit_ratio(requests, 100) == pytest.approx(2 / 3)


def test_workloads_are_what_their_numbers_say() -> None:
    requests = SharedPrefix(groups=2, prefix_tokens=1_000, question_tokens=200, block_tokens=100).make(
        400, 10.0, seed=1
    )
    assert {request.tokens for request in requests} == {1_200}
    assert len({tuple(request.blocks[:10]) for request in requests}) == 2
    assert len({tuple(request.blocks[10:]) for request in requests}) == 400
    assert requests[-1].at_s == pytest.approx(40.0, rel=0.2)
    assert MOONCAKE_BLOCK_TOKENS == 512


def test_the_policies_compared_do_what_they_are_called() -> None:
    request = Request(0.0, 1, [])
    turns = RoundRobin()
    assert [turns.choose(request, [0.0] * 3) for _ in range(4)] == [0, 1, 2, 0]
    assert LeastLoaded().choose(request, [5.0, 2.0, 3.0]) == 1
    chance = Chance(seed=1)
    assert {chance.choose(request, [0.0] * 3) for _ in range(50)} == {0, 1, 2}
