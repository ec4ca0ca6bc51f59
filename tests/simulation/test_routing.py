"""The relay's own choice of replicas over a made-up fleet: what affinity gains, and what it never costs."""

import json
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keisan._native import Router, hash_prompt
from replay.fleet import Cache, Outcome, Policy, QueuedLoad, replay
from replay.policy import SLOTS, LeastLoaded, RoundRobin, Routed
from replay.workload import SharedPrefix, compute_ideal_hit_ratio

BLOCK_TOKENS = 100
RATE = 10_000
REPLICAS = 4
CACHE_TOKENS = 60_000
# The relay's own limits, which these tests hold it to.
LATENESS_S_MAX = 20
WORKLOAD = SharedPrefix(groups=24, prefix_tokens=6_000, question_tokens=1_200, block_tokens=BLOCK_TOKENS)


def make_router(replicas: int = REPLICAS, slots: int = SLOTS, rate: int | None = RATE) -> Router:
    router = Router(BLOCK_TOKENS)
    for _ in range(replicas):
        router.add_replica(rate, slots, CACHE_TOKENS, 0)
    return router


def choose_replica(router: Router, blocks: Sequence[int], tokens: int) -> int:
    chosen = router.choose(list(blocks), tokens)
    assert chosen is not None
    return chosen[1]


def replay_shared(policy: Policy, requests_per_s: float) -> tuple[Outcome, float]:
    """Return what a policy does with groups of users, and the hit ratio that is possible."""
    requests = WORKLOAD.make(2_000, requests_per_s, seed=7)
    caches = [Cache(CACHE_TOKENS // BLOCK_TOKENS) for _ in range(REPLICAS)]
    outcome = replay(requests, policy, QueuedLoad([RATE] * REPLICAS), caches, BLOCK_TOKENS)
    return outcome, compute_ideal_hit_ratio(requests, BLOCK_TOKENS)


@pytest.mark.parametrize("requests_per_s", [2.0, 10.0, 25.0])
def test_affinity_raises_hits_and_hastens_first_tokens(requests_per_s: float) -> None:
    routed, ideal = replay_shared(Routed(make_router()), requests_per_s)
    for other in (replay_shared(RoundRobin(), requests_per_s)[0], replay_shared(LeastLoaded(), requests_per_s)[0]):
        assert routed.hit_ratio > 1.5 * other.hit_ratio
        assert routed.first_token_mean_s < other.first_token_mean_s
    assert routed.hit_ratio > 0.8 * ideal
    assert routed.imbalance < 1.25


def test_a_prefix_that_everyone_shares_makes_no_hot_spot() -> None:
    """All of Mooncake's conversations begin with one block; the longest match would send them all to one replica."""
    workload = SharedPrefix(groups=1, prefix_tokens=100, question_tokens=5_900, block_tokens=BLOCK_TOKENS)
    requests = workload.make(800, requests_per_s=5.0, seed=7)
    caches = [Cache(CACHE_TOKENS // BLOCK_TOKENS) for _ in range(REPLICAS)]
    outcome = replay(requests, Routed(make_router()), QueuedLoad([RATE] * REPLICAS), caches, BLOCK_TOKENS)
    assert outcome.imbalance < 1.2


# Each example is some tens of thousands of block look-ups.
@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(st.integers(1, 20_000), st.sampled_from([0, 0, 0, 0, 1]), st.integers(0, 9)),
        min_size=60,
        max_size=90,
    )
)
def test_imbalance_is_bounded(calls: list[tuple[int, int, int]]) -> None:
    """Behind each dispatch the chosen replica has at most the mean backlog, the limit in tokens and the call itself.

    Two long prompts with questions behind them: what is warm is worth more waiting than the limit allows.
    """
    prompts = [list(range(600)), list(range(1_000, 1_600))]
    router = make_router()
    open_calls = []
    for question_tokens, group, chance in calls:
        before = router.list_backlogs()
        tokens = len(prompts[group]) * BLOCK_TOKENS + question_tokens
        chosen = router.choose(prompts[group], tokens)
        assert chosen is not None
        call, replica, _ = chosen
        open_calls.append(call)
        most = sum(before) / len(before) + LATENESS_S_MAX * RATE + tokens
        assert router.list_backlogs()[replica] <= most + 1
        if chance == 0:
            router.note_first_byte(open_calls.pop(0))


def test_backlogs_end_with_the_first_byte_or_the_call() -> None:
    router = make_router(replicas=1)
    calls = [router.choose([], 500), router.choose([], 300)]
    assert router.list_backlogs() == [800]
    assert calls[0] is not None
    assert calls[1] is not None
    router.note_first_byte(calls[0][0])
    assert router.list_backlogs() == [300]
    router.finish(calls[0][0])
    router.finish(calls[1][0])
    assert router.list_backlogs() == [0]
    with pytest.raises(ValueError, match="not open"):
        router.finish(calls[1][0])


@pytest.mark.parametrize("verdict", ["failed", "unknown"])
def test_a_replica_that_is_not_ok_gets_nothing(verdict: str) -> None:
    """Not even calls whose prompts it has, and not when it is the only one idle."""
    router = make_router()
    prompt = range(60)
    warm = choose_replica(router, prompt, 6_000)
    router.set_verdict(warm, verdict)
    for replica in range(REPLICAS):
        router.report_backlog(replica, 0 if replica == warm else 10_000_000)
    assert warm not in {choose_replica(router, prompt, 6_000) for _ in range(50)}
    router.set_verdict(warm, "ok")
    assert choose_replica(router, prompt, 6_000) == warm
    for replica in range(REPLICAS):
        router.set_verdict(replica, verdict)
    assert router.choose(list(prompt), 6_000) is None
    reason = f"verdict_{verdict}"
    assert json.loads(router.explain(list(prompt), 6_000)) == [{"excluded": reason}] * REPLICAS


def test_no_herd_after_a_gap_between_polls() -> None:
    """All replicas were reported idle; calls that come before the next report see what was sent since the last."""
    router = make_router()
    for replica in range(REPLICAS):
        router.report_backlog(replica, 0)
    sent = Counter(choose_replica(router, [], 2_000) for _ in range(40))
    assert set(sent.values()) == {10}
    # One replica is reported to have caught up: it takes the difference, and no call more.
    router.report_backlog(0, 0)
    for replica in range(1, REPLICAS):
        router.report_backlog(replica, 20_000)
    sent = Counter(choose_replica(router, [], 2_000) for _ in range(10))
    assert sent == {0: 10}
    sent = Counter(choose_replica(router, [], 2_000) for _ in range(40))
    assert set(sent.values()) == {10}


def test_a_herd_with_one_prefix_spreads_at_the_limit() -> None:
    """Many calls of one long prompt at once: the warm replica gets 20 s of work more than the others, and no more."""
    router = make_router()
    tokens = 42_000
    sent = Counter(choose_replica(router, range(400), tokens) for _ in range(150))
    assert len(sent) == 2
    backlogs = router.list_backlogs()
    assert LATENESS_S_MAX * RATE // 2 < max(backlogs) - min(backlogs) <= LATENESS_S_MAX * RATE + tokens


def test_replicas_of_unknown_speed_are_taken_by_load() -> None:
    router = make_router(rate=None)
    sent = Counter(choose_replica(router, [], 700) for _ in range(12))
    assert set(sent.values()) == {3}


def test_a_full_replica_waits_behind_those_with_a_free_slot() -> None:
    router = make_router(replicas=2, slots=2)
    prompt = range(60)
    first = choose_replica(router, prompt, 6_000)
    sent = [choose_replica(router, prompt, 6_000) for _ in range(4)]
    assert sent == [first, 1 - first, 1 - first, sent[3]]


def test_the_price_decides_between_equals() -> None:
    router = make_router()
    for replica, price_nano in enumerate((4, 3, 1, 2)):
        router.set_price(replica, price_nano)
    calls = [choose_replica(router, [], 2_000) for _ in range(REPLICAS)]
    assert calls == [2, 3, 1, 0]


def test_prompts_are_hashed_as_the_relay_does() -> None:
    text = b"a" * 1_024
    first, second = hash_prompt(text)
    assert hash_prompt(text + b"b" * 511) == [first, second]
    assert first != second
    router = make_router()
    replica = choose_replica(router, hash_prompt(text), 256)
    scored = json.loads(router.explain(hash_prompt(text), 256))[replica]["scored"]
    assert scored["credit_us"] == 9 * 1_000_000 * 200 // RATE


def test_what_is_no_number_of_the_fleet_is_refused() -> None:
    router = make_router()
    for fault in (
        lambda: router.set_verdict(REPLICAS, "ok"),
        lambda: router.set_verdict(0, "draining"),
        lambda: router.report_backlog(REPLICAS, 1),
        lambda: router.set_price(REPLICAS, 1),
        lambda: router.note_first_byte(0),
        lambda: router.add_replica(RATE, SLOTS, (1 << 23) * BLOCK_TOKENS, 0),
        lambda: Router(BLOCK_TOKENS, -1.0),
        lambda: Router(0),
    ):
        with pytest.raises(ValueError, match=r"expected|not open"):
            fault()
