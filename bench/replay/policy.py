"""Policies to compare: taking turns, the least loaded, chance, and the relay's own rule."""

import random
from collections.abc import Sequence

from keisan._native import Router
from replay.fleet import Request

# What a replica serves at a time: so many that slots decide nothing, where only prefill is replayed.
SLOTS = 100_000


class RoundRobin:
    """One after the other."""

    def __init__(self) -> None:
        self._turn = 0

    def choose(self, _request: Request, backlogs: Sequence[float]) -> int:
        self._turn += 1
        return (self._turn - 1) % len(backlogs)

    def end(self, number: int) -> None:
        """Nothing is counted."""


class LeastLoaded:
    """The fewest uncached tokens in flight."""

    def choose(self, _request: Request, backlogs: Sequence[float]) -> int:
        return min(range(len(backlogs)), key=lambda replica: backlogs[replica])

    def end(self, number: int) -> None:
        """Nothing is counted."""


class Chance:
    """Any, from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def choose(self, _request: Request, backlogs: Sequence[float]) -> int:
        return self._random.randrange(len(backlogs))

    def end(self, number: int) -> None:
        """Nothing is counted."""


class Routed:
    """The relay's rule, over a router that has sent nothing yet.

    It counts by itself what it sends, or is told all loads as if others had sent them.
    """

    def __init__(self, router: Router, *, is_load_reported: bool = False) -> None:
        self.believed_tokens = 0
        self._router = router
        self._is_load_reported = is_load_reported

    def choose(self, request: Request, backlogs: Sequence[float]) -> int:
        if self._is_load_reported:
            for replica, tokens in enumerate(backlogs):
                self._router.report_backlog(replica, int(tokens))
        chosen = self._router.choose(list(request.blocks), request.tokens)
        assert chosen is not None, "every replica of a replay is ok"
        _, replica, believed_tokens = chosen
        self.believed_tokens += believed_tokens
        return replica

    def end(self, number: int) -> None:
        # Its calls are numbered as the requests are: from 0, one each.
        self._router.finish(number)
