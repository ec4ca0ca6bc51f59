"""What must hold between platforms is judged by what both sides say: held, broken in numbers, or unknown, which is never held."""

from uuid import UUID, uuid4

import pytest

from keisan.domain.federation_check import CheckState, Invariant
from keisan.domain.link_log import LinkLog, LogCursor
from keisan.federation.rule_check import (
    ASKED,
    METHODS,
    LedgerReading,
    LifeCount,
    LogReading,
    TicketAmounts,
    find_unequal,
    is_all_held,
    judge_credit,
    judge_fencing,
    judge_ledgers,
    judge_life,
    judge_logs,
    judge_records,
    judge_registers,
    tell_unknown,
)

LIFE, OTHER_LIFE = uuid4(), uuid4()
A, B, C = UUID(int=1), UUID(int=2), UUID(int=3)


def place(sequence: int, mark: bytes = b"h", life: UUID = LIFE) -> LogCursor:
    return LogCursor(life, sequence, mark)


def read(
    end: LogCursor | None, cursor: LogCursor | None, mark: bytes | None = b"h", reached: int | None = None
) -> LogReading:
    return LogReading(LinkLog.LEDGER, end, cursor, mark, (end.sequence if end else 0) if reached is None else reached)


@pytest.mark.parametrize(
    ("reading", "fault"),
    [
        (read(None, None), ""),
        (read(place(0), None), ""),
        (read(place(7), place(7)), ""),
        # What was written after the check began may be under way.
        (read(place(9), place(8), reached=7), ""),
        # A place that is not kept any more was settled.
        (read(place(7), place(7), None), ""),
        (read(None, place(1)), "applied what the sender does not have"),
        (read(place(3), None), "3 letters have not arrived"),
        (read(place(7), place(7, life=OTHER_LIFE)), "different incarnations"),
        (read(place(5), place(7)), "2 letters ahead"),
        (read(place(7), place(4)), "3 letters have not arrived"),
        (read(place(7), place(7, b"other")), "running hashes differ"),
    ],
)
def test_a_log_has_arrived_with_what_it_had(reading: LogReading, fault: str) -> None:
    for sent, taken in (([reading], []), ([], [reading])):
        found = judge_logs("sx", sent, taken)
        assert found.state is (CheckState.BROKEN if fault else CheckState.HELD)
        assert fault in found.text
        assert found.neighbour == "sx"
    assert judge_logs("sx", [read(place(7), place(4))], []).numbers == {"ledger_sent": 7, "ledger_sent_applied": 4}


def test_each_side_holds_what_the_other_offers() -> None:
    assert judge_registers("sx", {"offered": ((1, 2), (1, 2))}).state is CheckState.HELD
    found = judge_registers("sx", {"offered": ((1, 2), (1, 3)), "taken": ((1, 2), (1,))})
    assert found.state is CheckState.BROKEN
    assert found.numbers["buckets_offered_apart"] == found.numbers["buckets_taken_apart"] == 1
    assert "and 1 more" in found.text


def test_both_sides_hold_the_same_leaves() -> None:
    name = ("cn", "2026-11-27")
    one = LedgerReading(2, b"a", "")
    assert judge_ledgers("sx", {name: one}, {name: one}).numbers == {"settlements": 1, "leaves": 2}
    empty = LedgerReading(0, b"", "")
    assert judge_ledgers("sx", {name: empty}, {}).state is CheckState.HELD
    signed = LedgerReading(2, b"a", "x")
    assert judge_ledgers("sx", {name: signed}, {name: one}).state is CheckState.HELD
    for other, fault in (
        ({}, "2 leaves here and 0 there"),
        ({name: LedgerReading(2, b"b", "")}, "not the same"),
    ):
        found = judge_ledgers("sx", {name: one}, other)
        assert (found.state, fault in found.text) == (CheckState.BROKEN, True)
    found = judge_ledgers("sx", {name: signed}, {name: LedgerReading(2, b"a", "y")})
    assert "signed for different words" in found.text


def test_nothing_goes_by_silence() -> None:
    told = LifeCount(made={A, B}, ended={B}, events=4)
    assert judge_life(told, [A, B, C], [B]).state is CheckState.HELD
    assert judge_life(told, [A, B, C], [B]).numbers == {"events": 4, "made": 2, "there": 3, "ended": 1}
    assert f"1 were made and are not there: {B}" in judge_life(told, [A], []).text
    assert f"nobody ended them: {A}" in judge_life(told, [A, B], [A, B]).text
    told.is_chained = False
    assert "chain is broken" in judge_life(told, [A, B], [B]).text


def test_nothing_runs_twice() -> None:
    assert judge_fencing([A, B], [(A, C), (A, C)], [(A, "x"), (A, "x"), (B, "y")]).state is CheckState.HELD
    assert "is in 2 grants" in judge_fencing([A, A], [], []).text
    assert "runs 2 deployments" in judge_fencing([A], [(A, B), (A, C)], []).text
    assert "was served by 2 platforms" in judge_fencing([], [], [(A, "x"), (A, "y")]).text


@pytest.mark.parametrize(
    ("home", "serving", "fault"),
    [
        ((9, 2, 3), (9, 2, 3), ""),
        ((9, 0, 3), (7, 2, 5), ""),
        ((7, 0, 0), (9, 0, 0), "believes in 9"),
        ((9, 3, 0), (9, 2, 0), "has 3 back"),
        ((9, 0, 3), (9, 0, 2), "paid 3"),
    ],
)
def test_neither_end_of_a_ticket_is_ahead(
    home: tuple[int, int, int], serving: tuple[int, int, int], fault: str
) -> None:
    assert fault in (found := find_unequal("t", TicketAmounts(*home), TicketAmounts(*serving)))
    assert bool(found) == bool(fault)


def test_credit_and_letters_are_counted() -> None:
    assert judge_credit([], 3).numbers == {"tickets": 3}
    assert judge_credit(["ticket t: x"], 3).state is CheckState.BROKEN
    waiting = judge_records(["c", "c"], {"c"})
    assert (waiting.state, waiting.numbers["letters_waiting"]) == (CheckState.HELD, 2)
    refused = judge_records(["a", "c", "a", "b"], {"c"})
    assert refused.text == "2 letters were refused: a (and 1 more)"
    assert refused.numbers == {"letters_refused": 3, "letters_waiting": 1}


def test_what_is_unknown_is_not_held() -> None:
    held = judge_records([], ())
    assert is_all_held([held])
    assert not is_all_held([held, tell_unknown(ASKED[0], "sx", "away")])
    assert set(METHODS) == set(Invariant)
