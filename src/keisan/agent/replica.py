"""One replica, decided on values: what was ordered and what is seen go in, the next step and what to report come out.

Only a STOP order ends a replica. Silence of the platform is no order, and a slow probe is no proof (R13, R14).
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random

from keisan.domain.replica import ReplicaState
from keisan.domain.verdict import Verdict
from keisan.engines.base import Health
from keisan.kit.retry import Backoff
from keisan.wire.site import OrderAction

# A replica that stood this long has earned an immediate restart again.
STABLE_S = 60.0
# So many probes in a row without an answer, two seconds each: then new work is better sent elsewhere (D5).
UNKNOWN_PROBES_MAX = 5
# How long "nobody listens" may last in a living process before it is started anew: short once it has listened, long
# while it may still be on its way to binding its socket.
DEAF_READY_S = 10.0
DEAF_STARTING_S = 120.0


class Step(StrEnum):
    """What to do next for one replica."""

    START = "start"
    WATCH = "watch"
    MOURN = "mourn"
    RESTART = "restart"
    WAIT = "wait"
    END = "end"
    REST = "rest"


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a replica stands, as far as its agent saw; times are of the monotonic clock, in seconds.

    `fault` is the last one, kept until it is ready; `activity` says how far a start has come. `attempt_count` counts
    faults since it last stood firm.
    """

    state: ReplicaState = ReplicaState.STARTING
    fault: str = ""
    activity: str = ""
    attempt_count: int = 0
    retry_at_s: float = 0.0
    ready_since_s: float | None = None
    deaf_since_s: float | None = None
    was_ready: bool = False
    unknown_count: int = 0

    @property
    def message(self) -> str:
        """What to tell people."""
        return self.activity or self.fault


@dataclass(frozen=True, slots=True)
class Sight:
    """What is seen of a replica now: was an engine started for it, does that process run, and what time it is."""

    has_launch: bool
    is_running: bool
    now_s: float


@dataclass(frozen=True, slots=True)
class RestartRule:
    """How long to wait between faults."""

    backoff: Backoff
    random: Random


def decide_step(action: OrderAction, progress: Progress, sight: Sight) -> Step:
    """Return what to do next."""
    if action is OrderAction.STOP:
        return Step.END if sight.has_launch else Step.REST
    if sight.is_running:
        return Step.RESTART if _is_deaf_too_long(progress, sight.now_s) else Step.WATCH
    if sight.has_launch:
        return Step.MOURN
    return Step.WAIT if sight.now_s < progress.retry_at_s else Step.START


def note_launch(progress: Progress) -> Progress:
    """Return the progress of a replica whose engine was just started; the last fault stays told until it is ready."""
    return replace(
        progress,
        state=ReplicaState.STARTING,
        activity="",
        ready_since_s=None,
        deaf_since_s=None,
        was_ready=False,
        unknown_count=0,
    )


def note_fetch(progress: Progress, percent: int) -> Progress:
    """Return the progress while weights arrive; in steps of five, because each change is written down by the platform."""
    return replace(progress, state=ReplicaState.STARTING, activity=f"fetching weights {percent - percent % 5} %")


def note_fault(progress: Progress, message: str, now_s: float, rule: RestartRule) -> Progress:
    """Return the progress after a fault: the first is followed by a try at once, the next ones by longer and longer waits."""
    has_stood = progress.ready_since_s is not None and now_s - progress.ready_since_s >= STABLE_S
    attempt_count = 1 if has_stood else progress.attempt_count + 1
    wait_s = rule.backoff.compute_wait_s(attempt_count - 1, rule.random) if attempt_count > 1 else 0.0
    return Progress(state=ReplicaState.FAILED, fault=message, attempt_count=attempt_count, retry_at_s=now_s + wait_s)


def note_health(progress: Progress, health: Health, now_s: float) -> Progress:
    """Return the progress after a probe of a running engine."""
    if health.verdict is Verdict.OK:
        return replace(
            progress,
            state=ReplicaState.READY,
            fault="",
            activity="",
            ready_since_s=now_s if progress.ready_since_s is None else progress.ready_since_s,
            deaf_since_s=None,
            was_ready=True,
            unknown_count=0,
        )
    if health.verdict is Verdict.UNKNOWN:
        return _note_unknown(progress, health)
    if not progress.was_ready:
        return replace(progress, deaf_since_s=_choose_since(progress.deaf_since_s, now_s), unknown_count=0)
    return replace(
        progress,
        state=ReplicaState.FAILED,
        fault=health.message,
        ready_since_s=None,
        deaf_since_s=_choose_since(progress.deaf_since_s, now_s),
        unknown_count=0,
    )


def note_stop(progress: Progress, state: ReplicaState) -> Progress:
    """Return the progress of a replica that is being stopped, or has stopped."""
    return replace(progress, state=state, fault="", activity="", ready_since_s=None)


def _note_unknown(progress: Progress, health: Health) -> Progress:
    unknown_count = progress.unknown_count + 1
    if progress.state is ReplicaState.READY and unknown_count < UNKNOWN_PROBES_MAX:
        return replace(progress, unknown_count=unknown_count)
    fault = health.message if progress.was_ready else progress.fault
    return replace(
        progress,
        state=ReplicaState.STARTING,
        fault=fault,
        ready_since_s=None,
        deaf_since_s=None,
        unknown_count=unknown_count,
    )


def _is_deaf_too_long(progress: Progress, now_s: float) -> bool:
    if progress.deaf_since_s is None:
        return False
    return now_s - progress.deaf_since_s >= (DEAF_READY_S if progress.was_ready else DEAF_STARTING_S)


def _choose_since(since_s: float | None, now_s: float) -> float:
    return now_s if since_s is None else since_s
