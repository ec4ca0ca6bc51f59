"""One replica, decided on values."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.agent.replica import (
    DEAF_READY_S,
    DEAF_STARTING_S,
    STABLE_S,
    UNKNOWN_PROBES_MAX,
    Progress,
    RestartRule,
    Sight,
    Step,
    decide_step,
    note_fault,
    note_fetch,
    note_health,
    note_launch,
    note_stop,
)
from keisan.domain.replica import ReplicaState
from keisan.domain.verdict import Verdict
from keisan.engines.base import Health
from keisan.kit.retry import Backoff
from keisan.wire.site import OrderAction

RUN, STOP = OrderAction.RUN, OrderAction.STOP
OK, SLOW, DEAF = Health(Verdict.OK), Health(Verdict.UNKNOWN, "slow"), Health(Verdict.FAILED, "deaf")
RULE = RestartRule(Backoff(first_s=1.0, factor=2.0, most_s=8.0), Random(1))
NOTHING, RUNNING, DEAD = Sight(False, False, 100.0), Sight(True, True, 100.0), Sight(True, False, 100.0)

verdicts = st.sampled_from(Verdict).map(lambda verdict: Health(verdict, "told"))


@pytest.mark.parametrize(
    ("action", "sight", "step"),
    [
        (RUN, NOTHING, Step.START),
        (RUN, RUNNING, Step.WATCH),
        (RUN, DEAD, Step.MOURN),
        (STOP, NOTHING, Step.REST),
        (STOP, RUNNING, Step.END),
        (STOP, DEAD, Step.END),
    ],
)
def test_step_follows_order_and_sight(action: OrderAction, sight: Sight, step: Step) -> None:
    assert decide_step(action, Progress(), sight) is step


@given(healths=st.lists(verdicts, max_size=200), gap_s=st.floats(0, 5))
def test_nothing_but_an_order_ends_a_running_replica(healths: list[Health], gap_s: float) -> None:
    progress, now_s = Progress(), 0.0
    for health in healths:
        now_s += gap_s
        progress = note_health(progress, health, now_s)
        step = decide_step(RUN, progress, Sight(True, True, now_s))
        assert step in (Step.WATCH, Step.RESTART)
        assert step is Step.WATCH or health.verdict is Verdict.FAILED


@given(count=st.integers(1, 300), is_ready=st.booleans())
def test_slow_probes_never_restart(count: int, is_ready: bool) -> None:
    progress = note_health(Progress(), OK, 0.0) if is_ready else Progress()
    for second in range(count):
        progress = note_health(progress, SLOW, second * 2.0)
    assert decide_step(RUN, progress, Sight(True, True, 10.0**6)) is Step.WATCH
    assert progress.state is not ReplicaState.FAILED


def test_first_fault_is_tried_again_at_once_and_later_ones_wait_longer() -> None:
    progress, waits = Progress(), []
    for _ in range(6):
        progress = note_fault(progress, "gone", 50.0, RULE)
        waits.append(progress.retry_at_s - 50.0)
    assert waits[0] == 0
    spans = [1.0, 2.0, 4.0, 8.0, 8.0]
    assert all(span / 2 <= wait <= span for span, wait in zip(spans, waits[1:], strict=True))
    assert (progress.state, progress.message) == (ReplicaState.FAILED, "gone")


def test_waiting_ends_with_its_time() -> None:
    progress = replace(Progress(), retry_at_s=100.0)
    assert decide_step(RUN, progress, Sight(False, False, 99.9)) is Step.WAIT
    assert decide_step(RUN, progress, Sight(False, False, 100.0)) is Step.START


@pytest.mark.parametrize(("stood_s", "attempts"), [(STABLE_S - 1, 4), (STABLE_S, 1)])
def test_standing_firm_earns_an_immediate_restart(stood_s: float, attempts: int) -> None:
    progress = note_health(replace(Progress(), attempt_count=3), OK, 10.0)
    assert note_fault(progress, "gone", 10.0 + stood_s, RULE).attempt_count == attempts


def test_ready_clears_the_last_fault() -> None:
    progress = note_health(note_fault(Progress(), "gone", 0.0, RULE), OK, 1.0)
    assert (progress.state, progress.message) == (ReplicaState.READY, "")


def test_fault_is_told_until_ready() -> None:
    progress = note_launch(note_fetch(note_fault(Progress(), "gone", 0.0, RULE), 47))
    assert (progress.state, progress.message) == (ReplicaState.STARTING, "gone")
    assert note_health(progress, SLOW, 1.0).message == "gone"


def test_fetch_is_told_in_steps_of_five() -> None:
    assert [note_fetch(Progress(), percent).message for percent in (0, 4, 5, 99, 100)] == [
        f"fetching weights {told} %" for told in (0, 0, 5, 95, 100)
    ]


def test_a_row_of_slow_probes_stops_new_work_only() -> None:
    progress = note_health(Progress(), OK, 0.0)
    for count in range(1, UNKNOWN_PROBES_MAX):
        progress = note_health(progress, SLOW, float(count))
        assert progress.state is ReplicaState.READY
    progress = note_health(progress, SLOW, 10.0)
    assert (progress.state, progress.message) == (ReplicaState.STARTING, "slow")
    assert note_health(progress, OK, 11.0).state is ReplicaState.READY


def test_one_good_probe_ends_the_row() -> None:
    progress = note_health(Progress(), OK, 0.0)
    for second in range(5 * UNKNOWN_PROBES_MAX):
        health = OK if second % (UNKNOWN_PROBES_MAX - 1) == 0 else SLOW
        progress = note_health(progress, health, float(second))
        assert progress.state is ReplicaState.READY


@pytest.mark.parametrize("was_ready", ["ready", "starting"])
def test_deaf_process_is_started_anew_after_its_time(was_ready: str) -> None:
    progress = note_health(Progress(), OK, 0.0) if was_ready == "ready" else Progress()
    limit_s = DEAF_READY_S if was_ready == "ready" else DEAF_STARTING_S
    progress = note_health(note_health(progress, DEAF, 100.0), DEAF, 101.0)
    assert decide_step(RUN, progress, Sight(True, True, 99.9 + limit_s)) is Step.WATCH
    assert decide_step(RUN, progress, Sight(True, True, 100.0 + limit_s)) is Step.RESTART
    assert progress.state is (ReplicaState.FAILED if was_ready == "ready" else ReplicaState.STARTING)


def test_sign_of_life_ends_deafness() -> None:
    for sign in (OK, SLOW):
        progress = note_health(note_health(Progress(), DEAF, 0.0), sign, 1.0)
        assert decide_step(RUN, progress, Sight(True, True, 10.0**6)) is Step.WATCH


def test_stop_leaves_no_message() -> None:
    progress = note_stop(note_fault(Progress(), "gone", 0.0, RULE), ReplicaState.STOPPED)
    assert (progress.state, progress.message) == (ReplicaState.STOPPED, "")
