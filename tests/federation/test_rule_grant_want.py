"""Rules of the parent: what it believes, when it asks again, and until when it begins work."""

from dataclasses import replace
from datetime import datetime

import pytest

from keisan.domain.errors import LimitExceeded, StateConflict
from keisan.domain.grant import GrantState, GrantWork, Sending, WantState
from keisan.domain.limits import GRANT_SENDINGS_MAX, GRANT_SKEW_S
from keisan.federation.rule_grant_want import (
    ask_again,
    end_want,
    find_renewal_due,
    is_granted,
    is_more_work,
    must_say_anew,
    reckon_want,
    say_again,
    set_work,
    take_answer,
)
from tests.federation.grant_samples import SCOPE, START, WORK, after, build_answer, build_want

END_S = SCOPE.duration_s - GRANT_SKEW_S
GRANTED = build_want(answer=build_answer())


def test_asking_again_is_a_new_word_with_its_own_time() -> None:
    asked = ask_again(GRANTED, after(60), 5)
    assert (asked.renewal, asked.version) == (2, 2)
    assert asked.sendings == {1: Sending(3, START, 0), 2: Sending(3, after(60), 5)}


def test_restored_parent_asks_above_what_its_child_has_followed() -> None:
    assert ask_again(build_want(answer=build_answer(renewal=9)), after(60), 5).renewal == 10


def test_words_of_an_older_life_are_waited_for_no_more() -> None:
    assert ask_again(build_want(epoch=4), after(60), 5).sendings == {2: Sending(4, after(60), 5)}


def test_parent_that_is_not_answered_stops_asking() -> None:
    want = GRANTED
    for number in range(GRANT_SENDINGS_MAX - 1):
        assert find_renewal_due(want) is not None
        want = ask_again(want, after(number), 0)
    assert find_renewal_due(want) is None
    with pytest.raises(LimitExceeded, match="has not answered"):
        ask_again(want, after(100), 0)


def test_ended_want_is_ended_once_and_asks_no_more() -> None:
    ended = end_want(build_want(work=WORK))
    assert (ended.state, ended.work, ended.version) == (WantState.ENDED, None, 2)
    with pytest.raises(StateConflict, match="has ended"):
        end_want(ended)
    with pytest.raises(StateConflict, match="has ended"):
        ask_again(ended, START, 0)
    with pytest.raises(StateConflict, match="has ended"):
        set_work(ended, None, START, 0)
    assert say_again(ended, START, 0).renewal == 2


@pytest.mark.parametrize(("known", "is_refused"), [(2, False), (3, False), (4, True)])
def test_answer_of_a_lower_epoch_is_refused_and_one_of_the_same_is_not(known: int, is_refused: bool) -> None:
    if is_refused:
        with pytest.raises(StateConflict, match="of epoch 3, and the link is in 4"):
            take_answer(build_want(), build_answer(), known)
    else:
        assert take_answer(build_want(), build_answer(), known).answer == build_answer()


def test_answer_changes_the_want_once() -> None:
    want = build_want(sendings={1: Sending(3, START, 0), 2: Sending(3, after(60), 0)}, renewal=2)
    answered = take_answer(want, build_answer(renewal=2), 3)
    assert (answered.sendings, answered.version) == ({2: Sending(3, after(60), 0)}, 2)
    assert take_answer(answered, build_answer(renewal=2), 3) is answered
    older = build_answer(renewal=2, version=0, state=GrantState.RELEASED)
    assert take_answer(answered, older, 3) is answered
    newer = build_answer(renewal=2, version=2, state=GrantState.HELD)
    assert take_answer(answered, newer, 3).answer == newer


def test_newer_life_is_believed_whatever_the_version_of_its_register() -> None:
    want = build_want(answer=build_answer(version=9))
    answer = build_answer(epoch=4, number=1, version=1)
    assert (take_answer(want, answer, 3).epoch, take_answer(want, answer, 3).answer) == (4, answer)


def test_answer_of_an_older_life_than_the_want_knows_of_is_no_news() -> None:
    want = build_want(epoch=4, answer=build_answer(epoch=4))
    assert take_answer(want, build_answer(version=99), 3) is want


@pytest.mark.parametrize(
    ("seconds", "changes", "expected"),
    [
        (END_S - 1, {}, True),
        (END_S, {}, False),
        (0, {"state": WantState.ENDED}, False),
        (0, {"answer": None}, False),
        (0, {"answer": build_answer(state=GrantState.HELD)}, False),
        (0, {"answer": build_answer(state=GrantState.PROPOSED)}, False),
        (0, {"answer": build_answer(renewal=2)}, False),
    ],
)
def test_parent_begins_work_only_within_what_was_granted(
    seconds: int, changes: dict[str, object], expected: bool
) -> None:
    assert is_granted(replace(GRANTED, **changes), after(seconds), 0) is expected  # type: ignore[arg-type]  # open on purpose


def test_parent_reckons_from_the_word_that_was_answered() -> None:
    asked = ask_again(GRANTED, after(1800), 5)
    before, answered = reckon_want(asked, 0), reckon_want(take_answer(asked, build_answer(version=2, renewal=2), 3), 0)
    assert before is not None
    assert answered is not None
    assert (before.began_at, answered.began_at, answered.offset_then_ms) == (START, after(1800), 5)


@pytest.mark.parametrize(
    ("before", "later", "expected"),
    [
        (None, None, False),
        (None, WORK, True),
        (None, replace(WORK, replica_count=0), False),
        (WORK, WORK, False),
        (WORK, None, False),
        (WORK, replace(WORK, replica_count=1), False),
        (WORK, replace(WORK, replica_count=3), True),
        (WORK, replace(WORK, model_name="other"), True),
        (WORK, replace(WORK, slots=8, replica_count=0), False),
    ],
)
def test_what_is_more_work(before: GrantWork | None, later: GrantWork | None, expected: bool) -> None:
    assert is_more_work(before, later) is expected


def test_new_work_needs_a_grant_and_less_work_does_not() -> None:
    want = set_work(GRANTED, WORK, START, 0)
    assert (want.work, want.version) == (WORK, 2)
    with pytest.raises(StateConflict, match="nothing is granted now"):
        set_work(want, replace(WORK, replica_count=3), after(END_S), 0)
    assert set_work(want, replace(WORK, replica_count=1), after(END_S), 0).work == replace(WORK, replica_count=1)


@pytest.mark.parametrize(("epoch", "expected"), [(3, False), (4, True)])
def test_want_is_sent_anew_in_a_newer_life(epoch: int, expected: bool) -> None:
    assert must_say_anew(build_want(epoch=epoch)) is expected
    assert must_say_anew(build_want(epoch=epoch, sendings={})) is False


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, after(1800)),
        ({"answer": build_answer(state=GrantState.HELD)}, after(1800)),
        ({"answer": build_answer(state=GrantState.RELEASED)}, None),
        ({"answer": build_answer(state=GrantState.REFUSED)}, None),
        ({"answer": None}, None),
        ({"state": WantState.ENDED}, None),
        ({"sendings": {}}, None),
    ],
)
def test_parent_asks_again_by_itself_at_half_time(changes: dict[str, object], expected: datetime | None) -> None:
    assert find_renewal_due(replace(GRANTED, **changes)) == expected  # type: ignore[arg-type]  # open on purpose
