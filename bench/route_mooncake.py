"""Question: how much of the prompts is found in a cache, and how evenly is the rest spread, by the relay's own rule?

Method: Mooncake's trace over 16 replicas of 2M tokens each, 30 s fading load; then each computing prompts in a queue.
Reference: round robin and least loaded in the same run; the target: hit 0.355, imbalance 1.05 an hour, 1.65 in 60 s.
Wrong if: the rule misses the target, or its mean first token is later than least loaded's at any speed.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from keisan._native import Router
from replay.fleet import Cache, FadingLoad, Outcome, Policy, QueuedLoad, Request, replay
from replay.policy import SLOTS, Chance, LeastLoaded, RoundRobin, Routed
from replay.workload import MOONCAKE_BLOCK_TOKENS, compute_ideal_hit_ratio, read_mooncake

TRACE = Path(__file__).parents[2] / "shared/data/mooncake/conversation_trace.jsonl"
REPLICAS = 16
CACHE_TOKENS = 2_000_000
FADE_S = 30.0
# With fading load only its product with the seconds allowed counts. Of the order of a 70B model on eight chips.
PREFILL_TOKENS_PER_S = 5_000
# From far more than is needed to less than is needed without any cache.
SPEEDS_TOKENS_PER_S = (20_480, 4_000, 2_600, 2_000)
# Three makes of chips in one fleet.
UNLIKE_TOKENS_PER_S = (*[8_000] * 5, *[4_000] * 6, *[1_500] * 5)
SEED = 1
HIT_RATIO_TARGET = 0.355
IMBALANCE_TARGET = 1.05
IMBALANCE_60_S_TARGET = 1.65
# (seconds behind the earliest, seconds of patience for a second saved); None is the relay's own number.
TUNINGS = ((None, 5), (None, 7), (None, 12), (None, 15), (5.0, None), (10.0, None), (14.0, None), (30.0, None))

Tuning = tuple[float | None, int | None]


def make_routed(speeds: Sequence[int], tuning: Tuning = (None, None), *, is_fading: bool = False) -> Routed:
    """Return the relay's rule over replicas of these speeds."""
    lateness_s_max, patience = tuning
    router = Router(MOONCAKE_BLOCK_TOKENS, lateness_s_max, patience)
    for speed in speeds:
        router.add_replica(speed, SLOTS, CACHE_TOKENS, 0)
    return Routed(router, is_load_reported=is_fading)


def make_fading(tuning: Tuning = (None, None)) -> Routed:
    """Return the relay's rule as the published comparison needs it."""
    return make_routed([PREFILL_TOKENS_PER_S] * REPLICAS, tuning, is_fading=True)


def make_caches() -> list[Cache]:
    """Return one empty cache a replica."""
    return [Cache(CACHE_TOKENS // MOONCAKE_BLOCK_TOKENS) for _ in range(REPLICAS)]


def replay_fading(requests: Sequence[Request], policy: Policy) -> Outcome:
    """Replay as the published comparison does."""
    return replay(requests, policy, FadingLoad(REPLICAS, FADE_S), make_caches(), MOONCAKE_BLOCK_TOKENS)


def replay_queued(requests: Sequence[Request], policy: Policy, speeds: Sequence[int]) -> Outcome:
    """Replay with chips that compute prompt after prompt."""
    return replay(requests, policy, QueuedLoad(speeds), make_caches(), MOONCAKE_BLOCK_TOKENS)


def describe_spread(outcome: Outcome) -> dict[str, float]:
    """Return hits and imbalance."""
    return {
        "hit_ratio": round(outcome.hit_ratio, 4),
        "imbalance_hour": round(outcome.imbalance, 3),
        "imbalance_60_s": round(outcome.imbalance_window, 3),
    }


def describe_waits(outcome: Outcome) -> dict[str, float]:
    """Return hits and seconds to the first token."""
    return {
        "hit_ratio": round(outcome.hit_ratio, 4),
        "mean_s": round(outcome.first_token_mean_s, 3),
        "p50_s": round(outcome.read_first_token_s(50), 3),
        "p99_s": round(outcome.read_first_token_s(99), 3),
    }


def compare_waits(requests: Sequence[Request], speeds: Sequence[int]) -> dict[str, dict[str, float]]:
    """Return seconds to the first token by policy."""
    policies: dict[str, Policy] = {
        "round_robin": RoundRobin(),
        "least_loaded": LeastLoaded(),
        "routed": make_routed(speeds),
    }
    return {name: describe_waits(replay_queued(requests, policy, speeds)) for name, policy in policies.items()}


def describe_more(requests: Sequence[Request], routed: Outcome) -> dict[str, object]:
    """Return what takes longer: other tunings, and waits in queues."""
    tuned = {tuning: replay_fading(requests, make_fading(tuning)) for tuning in TUNINGS}
    ratios = [outcome.hit_ratio for outcome in (routed, *tuned.values())]
    waits = {speed: compare_waits(requests, [speed] * REPLICAS) for speed in SPEEDS_TOKENS_PER_S}
    typical = waits[SPEEDS_TOKENS_PER_S[1]]["routed"]
    return {
        "p50_s": typical["p50_s"],
        "p99_s": typical["p99_s"],
        "spread": [round(min(ratios), 4), round(max(ratios), 4)],
        "by_lateness_s_and_patience": {str(tuning): describe_spread(tuned[tuning]) for tuning in tuned},
        "first_token_by_tokens_per_s": waits,
        "first_token_of_unlike_chips": compare_waits(requests, UNLIKE_TOKENS_PER_S),
    }


def main() -> None:
    """Replay and print one JSON line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("trace", nargs="?", type=Path, default=TRACE)
    parser.add_argument("--quick", action="store_true", help="leave out queues and other tunings")
    arguments = parser.parse_args()
    if not arguments.trace.exists():
        print(json.dumps({"bench": "route_mooncake", "skipped": "there is no trace; give its path"}))
        sys.exit(0)
    requests = read_mooncake(arguments.trace)
    ideal = compute_ideal_hit_ratio(requests, MOONCAKE_BLOCK_TOKENS)
    rule = make_fading()
    routed = replay_fading(requests, rule)
    others: dict[str, Policy] = {"round_robin": RoundRobin(), "random": Chance(SEED), "least_loaded": LeastLoaded()}
    report = {
        "bench": "route_mooncake",
        "n": len(requests),
        "ideal_hit_ratio": round(ideal, 4),
        "routed": describe_spread(routed),
        "share_of_ideal": round(routed.hit_ratio / ideal, 3),
        "believed_hit_ratio": round(rule.believed_tokens / routed.prompt_tokens, 4),
        **{name: describe_spread(replay_fading(requests, policy)) for name, policy in others.items()},
        "ratio_to_target": round(routed.hit_ratio / HIT_RATIO_TARGET, 3),
        "is_target_met": routed.hit_ratio >= HIT_RATIO_TARGET
        and routed.imbalance <= IMBALANCE_TARGET
        and routed.imbalance_window <= IMBALANCE_60_S_TARGET,
    }
    if not arguments.quick:
        report |= describe_more(requests, routed)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
