"""Turns: the window is bounded, state goes first, and logs that wait have a fifth."""

from keisan.domain.limits import LINK_LOG_SHARE_PERCENT, LINK_WINDOW_BYTES
from keisan.federation.link_turn import Turns


def test_what_is_under_way_is_bounded_and_comes_back_when_answered() -> None:
    turns = Turns()
    turns.note_log(LINK_WINDOW_BYTES, state_waits=False)
    assert not turns.has_room
    turns.note_answered(1)
    assert turns.has_room


def test_logs_alone_fill_no_more_than_their_share_of_the_window() -> None:
    turns = Turns()
    sent = fill_with_logs(turns)
    assert sent == -(-LINK_WINDOW_BYTES * LINK_LOG_SHARE_PERCENT // 100 // 1_000) * 1_000
    assert turns.has_room
    turns.note_log_answered(1_000)
    assert turns.has_log_room
    assert turns.under_way_bytes == sent - 1_000


def fill_with_logs(turns: Turns) -> int:
    sent = 0
    while turns.has_log_room:
        sent += 1_000
        turns.note_log(1_000, state_waits=False)
    return sent


def test_state_goes_first_and_logs_have_their_share() -> None:
    turns = Turns()
    sent = {"state": 0, "log": 0}
    assert not turns.is_log_next(state_waits=True, log_waits=True)
    for _ in range(1_000):
        is_log = turns.is_log_next(state_waits=True, log_waits=True)
        sent["log" if is_log else "state"] += 1_000
        if is_log:
            turns.note_log(1_000, state_waits=True)
        else:
            turns.note_state(1_000, log_waits=True)
    assert sent["log"] * 100 >= sum(sent.values()) * LINK_LOG_SHARE_PERCENT
    assert sent["log"] * 100 <= sum(sent.values()) * (LINK_LOG_SHARE_PERCENT + 1)


def test_a_log_that_did_not_wait_is_owed_nothing() -> None:
    turns = Turns()
    turns.note_state(10**6, log_waits=False)
    assert not turns.is_log_next(state_waits=True, log_waits=True)
    assert turns.is_log_next(state_waits=False, log_waits=True)
    assert not turns.is_log_next(state_waits=False, log_waits=False)
