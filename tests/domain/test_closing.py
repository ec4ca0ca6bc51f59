"""Closings: who is still to be come to, and what came of those who were."""

from uuid import UUID

from keisan.domain.closing import CLOSING_TRANSITIONS, ClosingState, choose_holders, pass_holder
from keisan.domain.statement import CloseOutcome, HolderKind, StatementHolder
from tests.domain.samples import build_closing, build_draft

HOLDERS = [StatementHolder(kind, UUID(int=number), "CNY") for kind in HolderKind for number in (1, 2)]


def test_done_is_for_good() -> None:
    assert {
        ClosingState.CLOSING: frozenset({ClosingState.DONE}),
        ClosingState.DONE: frozenset(),
    } == CLOSING_TRANSITIONS


def test_holders_are_come_to_once_and_in_order() -> None:
    closing, seen = build_closing(), []
    while rest := choose_holders(closing, HOLDERS):
        seen.append(rest[0])
        closing = pass_holder(build_closing(passed=closing.passed, draft=build_draft()), rest[0], CloseOutcome.EMPTY)
        assert closing.draft is None
    assert seen == HOLDERS == sorted(HOLDERS)


def test_one_holder_is_both_its_sides() -> None:
    closing = build_closing(holder_id=UUID(int=2))
    assert choose_holders(closing, HOLDERS) == [HOLDERS[1], HOLDERS[3]]
    assert choose_holders(pass_holder(closing, HOLDERS[1], CloseOutcome.CLOSED), HOLDERS) == [HOLDERS[3]]


def test_outcomes_are_counted() -> None:
    closing = build_closing()
    for holder, outcome in zip(HOLDERS, (CloseOutcome.CLOSED, CloseOutcome.EMPTY, CloseOutcome.CLOSED), strict=False):
        closing = pass_holder(closing, holder, outcome)
    assert closing.counts == {CloseOutcome.CLOSED: 2, CloseOutcome.EMPTY: 1}
