"""What is old, which step is next, and why a day is held: on values."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from keisan.domain.archive import ArchiveFile
from keisan.domain.ids import OrganizationId
from keisan.domain.limits import ARCHIVE_KEPT_S, DISPUTE_WINDOW_S
from keisan.domain.retention import DayCheck, DayClaim, HoldCode, RetentionKind, RetentionMark, RetentionTerms
from keisan.domain.statement import HolderKind, StatementHolder, StatementSpan, find_period
from keisan.kit.ids import create_id
from keisan.ledger.rule_retention import (
    DayFacts,
    RetentionStep,
    StatedClaim,
    choose_step,
    compare_files,
    find_limit,
    hold_day,
    is_all_stored,
    is_day_old,
)
from tests.factories import create_statement

DAY = date(2026, 11, 23)
NOW = datetime(2027, 1, 23, tzinfo=UTC)
TERMS = RetentionTerms(usage_days=60)
CLAIM = DayClaim(StatementHolder(HolderKind.CUSTOMER, OrganizationId(create_id()), "CNY"), 7)
FACTS = DayFacts(DAY, 5, 5, is_archive_current=True)


def test_each_kind_has_its_own_days_and_none_is_for_ever() -> None:
    terms = RetentionTerms(1, 2, 3, 4, 5)
    assert [terms.get_days(kind) for kind in RetentionKind] == [1, 2, 3, 4, 5]
    assert [NOW - timedelta(days=kind) for kind in (1, 2)] == [
        find_limit(terms, RetentionKind.USAGE, NOW),
        find_limit(terms, RetentionKind.ANSWERS, NOW),
    ]
    assert find_limit(RetentionTerms(), RetentionKind.USAGE, NOW) is None


def test_day_is_old_once_its_last_moment_is() -> None:
    assert is_day_old(DAY, TERMS, NOW)
    assert not is_day_old(DAY, TERMS, NOW - timedelta(microseconds=1))
    assert not is_day_old(DAY, RetentionTerms(), NOW + timedelta(days=9999))


def test_steps_follow_each_other() -> None:
    mark = RetentionMark()
    assert choose_step(mark, None, TERMS, NOW) is RetentionStep.REST
    assert choose_step(mark, DAY, RetentionTerms(), NOW) is RetentionStep.REST
    assert choose_step(mark, DAY, TERMS, NOW) is RetentionStep.CLOSE
    closed = replace(mark, closed_through=DAY)
    assert choose_step(closed, DAY, TERMS, NOW) is RetentionStep.BEGIN_CHECK
    other = replace(closed, check=DayCheck(DAY - timedelta(days=1), ()))
    assert choose_step(other, DAY, TERMS, NOW) is RetentionStep.BEGIN_CHECK
    assert choose_step(replace(closed, check=DayCheck(DAY, ())), DAY, TERMS, NOW) is RetentionStep.CHECK
    grace = timedelta(seconds=ARCHIVE_KEPT_S)
    archived = replace(closed, archived_through=DAY, archived_at=NOW)
    assert choose_step(archived, DAY, TERMS, NOW + grace - timedelta(microseconds=1)) is RetentionStep.REST
    # Whatever the terms say by then: nobody reads those rows any more.
    assert choose_step(archived, None, RetentionTerms(), NOW + grace) is RetentionStep.DELETE
    done = replace(archived, deleted_through=DAY)
    assert choose_step(done, DAY + timedelta(days=1), TERMS, NOW + timedelta(days=1)) is RetentionStep.CLOSE


def test_first_doubt_holds_a_day() -> None:
    statement = create_statement(CLAIM.holder, closed_at=NOW - timedelta(seconds=DISPUTE_WINDOW_S))
    free = StatedClaim(CLAIM, statement, has_open_dispute=False)
    assert hold_day(FACTS, [free], NOW) is None
    assert hold_day(FACTS, [], NOW) is None
    cases = (
        (replace(FACTS, archived_count=4), free, NOW, HoldCode.NOT_ARCHIVED),
        (replace(FACTS, archived_count=6), free, NOW, HoldCode.NOT_ARCHIVED),
        (replace(FACTS, is_archive_current=False), free, NOW, HoldCode.NOT_ARCHIVED),
        (FACTS, replace(free, statement=None), NOW, HoldCode.OPEN_STATEMENT),
        (FACTS, free, NOW - timedelta(microseconds=1), HoldCode.DISPUTE_WINDOW),
        (FACTS, replace(free, has_open_dispute=True), NOW, HoldCode.OPEN_DISPUTE),
    )
    for facts, stated, now, code in cases:
        hold = hold_day(facts, [free, stated] if code is not HoldCode.DISPUTE_WINDOW else [stated], now)
        assert hold is not None
        assert hold.code is code


def test_file_that_is_not_what_it_was_is_named() -> None:
    file = ArchiveFile("usage/a", DAY, 1, 2, 5, 9, NOW, None, "digest")
    assert compare_files([file], {"usage/a": "digest"}) == ""
    assert compare_files([file], {"usage/a": "other"}) == "usage/a: expected digest, found other"
    assert compare_files([file], {}) == "usage/a: expected digest, found missing"
    assert compare_files([replace(file, sha256=None)], {"usage/a": "other"}).startswith("usage/a: expected a digest")


def test_statement_is_read_again_only_if_none_of_its_records_is_in_the_archive() -> None:
    period = find_period(DAY)
    span, day_before = StatementSpan(CLAIM.holder, period, 3, 7), period.first_day - timedelta(days=1)
    assert is_all_stored(span, None, has_late=True)
    assert is_all_stored(span, day_before, has_late=False)
    assert not is_all_stored(span, period.first_day, has_late=False)
    # Late ones are of days before.
    assert not is_all_stored(span, day_before, has_late=True)
