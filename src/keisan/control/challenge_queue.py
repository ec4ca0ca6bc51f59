"""Checks of answers wait here: one is under way at a time, and sites have their turns one after another.

What waits is bounded, for each site and for all: an answer holds megabytes. Whose answer finds no room asks again.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from keisan.domain.errors import Postponed
from keisan.domain.ids import ChallengeId, SiteId
from keisan.domain.limits import CHALLENGE_CHECKS_SITE_MAX, CHALLENGE_CHECKS_WAITING_MAX

# Where works of an answer are tried one after another, the index of the one that it is right for.
Outcome = int | None


@dataclass(frozen=True, slots=True)
class WaitingCheck:
    """An answer that was taken and not yet checked; all who handed it in wait for one `outcome`."""

    challenge_id: ChallengeId
    check: Callable[[], Outcome]
    outcome: Future[Outcome]


@dataclass(slots=True)
class CheckTurns:
    """Whose check comes next. Sites stand in the order of their turns, and each has its own checks in theirs."""

    waiting_max: int = CHALLENGE_CHECKS_WAITING_MAX
    site_max: int = CHALLENGE_CHECKS_SITE_MAX
    _by_site: dict[SiteId, deque[WaitingCheck]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Return how many wait."""
        return sum(map(len, self._by_site.values()))

    def add(self, site_id: SiteId, waiting: WaitingCheck) -> WaitingCheck | None:
        """Let a check wait, and return the one that has to go for it, if there is one.

        Where there is no room, the site of which most wait gives up its last, for one of which fewer do. Raises Postponed
        for whoever would be that site.
        """
        own = self._by_site.get(site_id, ())
        if len(own) >= self.site_max:
            raise Postponed(f"{self.site_max} answers of this site wait to be checked; hand it in again later")
        given_up = None
        if self.count >= self.waiting_max:
            most = max(self._by_site.values(), key=len)
            if len(most) <= len(own) + 1:
                raise Postponed(f"{self.waiting_max} answers wait to be checked; hand it in again later")
            given_up = most.pop()
        self._by_site.setdefault(site_id, deque()).append(waiting)
        return given_up

    def take_next(self) -> WaitingCheck | None:
        """Return the check whose turn it is; its site has its next turn after all others. None if none waits."""
        if not self._by_site:
            return None
        site_id = next(iter(self._by_site))
        own = self._by_site.pop(site_id)
        taken = own.popleft()
        if own:
            self._by_site[site_id] = own
        return taken


@dataclass(slots=True)
class CheckQueue:
    """One for a process. The largest check holds two gibibytes: one at a time, in a thread that nothing else waits for."""

    turns: CheckTurns = field(default_factory=CheckTurns)
    _known: dict[ChallengeId, Future[Outcome]] = field(default_factory=dict)
    _is_busy: bool = False
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "challenge-check"))

    def put(self, site_id: SiteId, challenge_id: ChallengeId, check: Callable[[], Outcome]) -> Future[Outcome]:
        """Return what a check will give. Of a challenge whose answer waits or is checked, the first answer is the one.

        The future raises Postponed if the answer had to make room, and what the check raises. Raises Postponed if there is no room.
        """
        with self._guard:
            known = self._known.get(challenge_id)
            if known is not None:
                return known
            outcome: Future[Outcome] = Future()
            given_up = self.turns.add(site_id, WaitingCheck(challenge_id, check, outcome))
            self._known[challenge_id] = outcome
            if given_up is not None:
                del self._known[given_up.challenge_id]
        if given_up is not None:
            given_up.outcome.set_exception(Postponed("answers of other sites came; hand it in again later"))
        self._begin_next()
        return outcome

    def _begin_next(self) -> None:
        with self._guard:
            taken = None if self._is_busy else self.turns.take_next()
            if taken is None:
                return
            self._is_busy = True
        # A process that ends begins nothing more, and who waits is gone.
        with suppress(RuntimeError):
            self._thread.submit(taken.check).add_done_callback(partial(self._finish, taken))

    def _finish(self, taken: WaitingCheck, done: Future[Outcome]) -> None:
        with self._guard:
            del self._known[taken.challenge_id]
            self._is_busy = False
        fault = done.exception()
        if fault is not None:
            taken.outcome.set_exception(fault)
        else:
            taken.outcome.set_result(done.result())
        self._begin_next()
