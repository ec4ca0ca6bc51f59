"""Requests to replay: Mooncake's conversation trace, and llm-d's groups of users with a common prefix."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from replay.fleet import Cache, Request

MOONCAKE_BLOCK_TOKENS = 512


def read_mooncake(path: Path) -> list[Request]:
    """Read a trace of Mooncake: one JSON object a line, with hash ids of 512-token blocks."""
    requests = []
    for line in path.read_text().splitlines():
        row = json.loads(line)
        requests.append(Request(row["timestamp"] / 1000, row["input_length"], row["hash_ids"]))
    return requests


@dataclass(frozen=True, slots=True)
class SharedPrefix:
    """Groups of users that share a prefix; every request ends with a question that nobody asked before."""

    groups: int = 150
    prefix_tokens: int = 6_000
    question_tokens: int = 1_200
    block_tokens: int = 120

    def make(self, requests: int, requests_per_s: float, seed: int) -> list[Request]:
        """Return requests of random groups, with exponential gaps."""
        chance = random.Random(seed)
        prefix_blocks = self.prefix_tokens // self.block_tokens
        question_blocks = self.question_tokens // self.block_tokens
        prefixes = [range(group * prefix_blocks, (group + 1) * prefix_blocks) for group in range(self.groups)]
        made, at_s, next_block = [], 0.0, self.groups * prefix_blocks
        for _ in range(requests):
            at_s += chance.expovariate(requests_per_s)
            question = range(next_block, next_block + question_blocks)
            next_block += question_blocks
            blocks = [*prefixes[chance.randrange(self.groups)], *question]
            made.append(Request(at_s, self.prefix_tokens + self.question_tokens, blocks))
        return made


def compute_ideal_hit_ratio(requests: Sequence[Request], block_tokens: int) -> float:
    """Return the hit ratio of one cache that never forgets."""
    cache = Cache(capacity_blocks=sum(len(request.blocks) for request in requests))
    hit_tokens = 0
    for request in requests:
        hit_tokens += min(cache.count_warm(request.blocks) * block_tokens, request.tokens)
        cache.add(request.blocks)
    return hit_tokens / sum(request.tokens for request in requests)
