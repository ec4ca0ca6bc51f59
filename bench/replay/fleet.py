"""Replicas with a cache and a load each, and the replay of requests over them."""

import heapq
import math
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

WINDOW_S = 60.0


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt: when it comes, how long it is, and its blocks, each standing for all up to its end."""

    at_s: float
    tokens: int
    blocks: Sequence[int]


class Policy(Protocol):
    """Chooses a replica; is told when a request's prefill has ended."""

    def choose(self, request: Request, backlogs: Sequence[float]) -> int: ...

    def end(self, number: int) -> None: ...


class Load(Protocol):
    """What is in flight at each replica."""

    def advance(self, at_s: float) -> Iterable[int]:
        """Let time pass; return the requests whose prefill ended."""

    def list_backlogs(self) -> Sequence[float]: ...

    def add(self, number: int, replica: int, tokens: int) -> float:
        """Add a request's uncached tokens; return the seconds to its first token."""


class Cache:
    """A replica's blocks, least recently used out."""

    def __init__(self, capacity_blocks: int) -> None:
        self.capacity_blocks = capacity_blocks
        self._blocks: OrderedDict[int, None] = OrderedDict()

    def count_warm(self, blocks: Sequence[int]) -> int:
        """Return how many blocks, from the beginning, are there."""
        return next((place for place, block in enumerate(blocks) if block not in self._blocks), len(blocks))

    def add(self, blocks: Sequence[int]) -> None:
        """Put a prompt in; its beginning stays longest, as in engines."""
        for block in reversed(blocks):
            self._blocks[block] = None
            self._blocks.move_to_end(block)
        while len(self._blocks) > self.capacity_blocks:
            self._blocks.popitem(last=False)


class FadingLoad:
    """Tokens that fade with a time constant: for comparisons that leave the chips' speed out."""

    def __init__(self, replicas: int, fade_s: float) -> None:
        self._tokens = [0.0] * replicas
        self._fade_s = fade_s
        self._now_s = 0.0
        self._ended: list[int] = []

    def advance(self, at_s: float) -> Iterable[int]:
        factor = math.exp((self._now_s - at_s) / self._fade_s)
        self._now_s = at_s
        self._tokens = [tokens * factor for tokens in self._tokens]
        ended, self._ended = self._ended, []
        return ended

    def list_backlogs(self) -> Sequence[float]:
        return self._tokens

    def add(self, number: int, replica: int, tokens: int) -> float:
        self._tokens[replica] += tokens
        # The load lives here; what a policy counts by itself ends at once.
        self._ended.append(number)
        return 0.0


class QueuedLoad:
    """Each replica computes one prompt after the other, at its own speed."""

    def __init__(self, speeds_tokens_per_s: Sequence[float]) -> None:
        self._speeds = speeds_tokens_per_s
        self._free_at_s = [0.0] * len(speeds_tokens_per_s)
        self._now_s = 0.0
        self._open: list[tuple[float, int]] = []

    def advance(self, at_s: float) -> Iterable[int]:
        self._now_s = at_s
        ended = []
        while self._open and self._open[0][0] <= at_s:
            ended.append(heapq.heappop(self._open)[1])
        return ended

    def list_backlogs(self) -> Sequence[float]:
        waits_s = [max(free_at_s - self._now_s, 0.0) for free_at_s in self._free_at_s]
        return [wait_s * speed for wait_s, speed in zip(waits_s, self._speeds, strict=True)]

    def add(self, number: int, replica: int, tokens: int) -> float:
        start_s = max(self._free_at_s[replica], self._now_s)
        self._free_at_s[replica] = start_s + tokens / self._speeds[replica]
        heapq.heappush(self._open, (self._free_at_s[replica], number))
        return self._free_at_s[replica] - self._now_s


@dataclass
class Outcome:
    """What a replay did, in tokens, replica by replica, and in seconds, request by request."""

    replicas: int
    prompt_tokens: int = 0
    hit_tokens: int = 0
    requests: int = 0
    computed_tokens: list[int] = field(default_factory=list)
    computed_by_window: dict[int, list[int]] = field(default_factory=dict)
    first_token_s: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.computed_tokens = [0] * self.replicas

    def note(self, request: Request, replica: int, hit_tokens: int, first_token_s: float) -> None:
        self.requests += 1
        self.prompt_tokens += request.tokens
        self.hit_tokens += hit_tokens
        computed = request.tokens - hit_tokens
        self.computed_tokens[replica] += computed
        window = self.computed_by_window.setdefault(int(request.at_s // WINDOW_S), [0] * self.replicas)
        window[replica] += computed
        self.first_token_s.append(first_token_s)

    @property
    def hit_ratio(self) -> float:
        """Cached tokens of all prompt tokens."""
        return self.hit_tokens / self.prompt_tokens

    @property
    def imbalance(self) -> float:
        """The busiest replica's computed tokens over the mean, over the whole replay."""
        return _measure_imbalance(self.computed_tokens)

    @property
    def imbalance_window(self) -> float:
        """The same in each minute, averaged."""
        each = [_measure_imbalance(window) for window in self.computed_by_window.values()]
        return sum(each) / len(each)

    @property
    def first_token_mean_s(self) -> float:
        """Seconds to the first token, averaged over requests."""
        return sum(self.first_token_s) / len(self.first_token_s)

    def read_first_token_s(self, percent: int) -> float:
        """Return a percentile of the seconds to the first token."""
        ordered = sorted(self.first_token_s)
        return ordered[(len(ordered) - 1) * percent // 100]


def _measure_imbalance(tokens: Sequence[int]) -> float:
    return max(tokens) * len(tokens) / sum(tokens) if sum(tokens) else 1.0


def replay(
    requests: Sequence[Request], policy: Policy, load: Load, caches: Sequence[Cache], block_tokens: int
) -> Outcome:
    """Send each request where the policy says, and count what its replica had."""
    outcome = Outcome(len(caches))
    for number, request in enumerate(requests):
        for ended in load.advance(request.at_s):
            policy.end(ended)
        replica = policy.choose(request, load.list_backlogs())
        hit_tokens = min(caches[replica].count_warm(request.blocks) * block_tokens, request.tokens)
        caches[replica].add(request.blocks)
        outcome.note(request, replica, hit_tokens, load.add(number, replica, request.tokens - hit_tokens))
    return outcome
