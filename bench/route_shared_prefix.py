"""Question: what does the relay's rule gain on llm-d's workload of users that share long prefixes, as load rises?

Method: 150 groups, 6,000 of 7,200 tokens shared; 8 replicas of 307,328 tokens, 20,480 tokens/s; Poisson, 3 to 60 a second.
Reference: random, round robin and least loaded in the same run; published hits 0.20-0.23 for those, 0.833 possible.
Wrong if: the rule finds less than 0.8 of what is possible at any rate. Only prefill is replayed, so no tokens/s of output.
"""

import json
import sys
from collections.abc import Callable

from keisan._native import Router
from replay.fleet import Cache, Outcome, Policy, QueuedLoad, replay
from replay.policy import SLOTS, Chance, LeastLoaded, RoundRobin, Routed
from replay.workload import SharedPrefix, compute_ideal_hit_ratio

REPLICAS = 8
CACHE_TOKENS = 307_328
SPEED_TOKENS_PER_S = 20_480
RATES_PER_S = (3, 10, 20, 30, 40, 50, 60)
SECONDS_EACH = 120
QUICK_SECONDS_EACH = 30
SEED = 1
SHARE_TARGET = 0.8
WORKLOAD = SharedPrefix()


def make_routed() -> Routed:
    """Return the relay's rule over the fleet."""
    router = Router(WORKLOAD.block_tokens)
    for _ in range(REPLICAS):
        router.add_replica(SPEED_TOKENS_PER_S, SLOTS, CACHE_TOKENS, 0)
    return Routed(router)


POLICIES: dict[str, Callable[[], Policy]] = {
    "random": lambda: Chance(SEED),
    "round_robin": RoundRobin,
    "least_loaded": LeastLoaded,
    "routed": make_routed,
}


def describe(outcome: Outcome) -> dict[str, float]:
    """Return hits, and seconds to the first token."""
    return {
        "hit_ratio": round(outcome.hit_ratio, 3),
        "p50_s": round(outcome.read_first_token_s(50), 3),
        "p90_s": round(outcome.read_first_token_s(90), 3),
        "p99_s": round(outcome.read_first_token_s(99), 3),
    }


def main() -> None:
    """Replay each rate with each policy, from empty caches, and print one JSON line."""
    seconds_each = QUICK_SECONDS_EACH if "--quick" in sys.argv else SECONDS_EACH
    shares: list[float] = []
    ideals: dict[int, float] = {}
    by_rate: dict[int, dict[str, dict[str, float]]] = {}
    for rate in RATES_PER_S:
        requests = WORKLOAD.make(rate * seconds_each, rate, SEED)
        ideal = compute_ideal_hit_ratio(requests, WORKLOAD.block_tokens)
        found = {}
        for name, make_policy in POLICIES.items():
            caches = [Cache(CACHE_TOKENS // WORKLOAD.block_tokens) for _ in range(REPLICAS)]
            load = QueuedLoad([SPEED_TOKENS_PER_S] * REPLICAS)
            found[name] = replay(requests, make_policy(), load, caches, WORKLOAD.block_tokens)
        shares.append(found["routed"].hit_ratio / ideal)
        ideals[rate] = round(ideal, 3)
        by_rate[rate] = {name: describe(outcome) for name, outcome in found.items()}
    highest = by_rate[RATES_PER_S[-1]]["routed"]
    report = {
        "bench": "route_shared_prefix",
        "n": sum(RATES_PER_S) * seconds_each,
        "p50_s": highest["p50_s"],
        "p99_s": highest["p99_s"],
        "spread": [round(min(shares), 3), round(max(shares), 3)],
        "ratio_to_target": round(min(shares) / SHARE_TARGET, 3),
        "ideal_hit_ratio_by_requests_per_s": ideals,
        "by_requests_per_s": by_rate,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
