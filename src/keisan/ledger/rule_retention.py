"""Decisions of retention, on values: what is old enough, and why a day of usage records must stay. A doubt keeps data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from keisan.domain.archive import ArchiveFile
from keisan.domain.limits import ARCHIVE_KEPT_S
from keisan.domain.retention import (
    DayClaim,
    Hold,
    HoldCode,
    RetentionKind,
    RetentionMark,
    RetentionTerms,
    is_through,
)
from keisan.domain.statement import Statement, StatementSpan, find_dispute_end

ONE_DAY = timedelta(days=1)


class RetentionStep(StrEnum):
    """What is next for the oldest day of usage records that is still stored."""

    REST = "rest"
    # The day is examined: is there a reason to hold it?
    CLOSE = "close"
    BEGIN_CHECK = "begin_check"
    CHECK = "check"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class DayFacts:
    """What is known of a day: how many records are stored and archived, and whether the archive has all that was posted."""

    day: date
    stored_count: int
    archived_count: int
    is_archive_current: bool


@dataclass(frozen=True, slots=True)
class StatedClaim:
    """A claim with the first statement that holds all of it, None without one, and whether a dispute of the holder is open."""

    claim: DayClaim
    statement: Statement | None
    has_open_dispute: bool


def find_limit(terms: RetentionTerms, kind: RetentionKind, now: datetime) -> datetime | None:
    """Return before which instant something of a kind may go; None for never."""
    days = terms.get_days(kind)
    return now - timedelta(days=days) if days else None


def is_day_old(day: date, terms: RetentionTerms, now: datetime) -> bool:
    """Tell whether all records of a day are older than usage records are kept."""
    limit = find_limit(terms, RetentionKind.USAGE, now)
    return limit is not None and datetime.combine(day + ONE_DAY, time(), UTC) <= limit


def choose_step(mark: RetentionMark, oldest: date | None, terms: RetentionTerms, now: datetime) -> RetentionStep:
    """Return what is next for the oldest stored day.

    What is read from the archive is deleted whatever the terms say now; a day is read there for as long as any answer takes
    before its rows go, for an answer reads by what it found when it began.
    """
    if mark.archived_through is not None and mark.archived_through != mark.deleted_through:
        assert mark.archived_at is not None
        is_ripe = now - mark.archived_at >= timedelta(seconds=ARCHIVE_KEPT_S)
        return RetentionStep.DELETE if is_ripe else RetentionStep.REST
    if oldest is None or not is_day_old(oldest, terms, now):
        return RetentionStep.REST
    if not is_through(oldest, mark.closed_through):
        return RetentionStep.CLOSE
    if mark.check is None or mark.check.day != oldest:
        return RetentionStep.BEGIN_CHECK
    return RetentionStep.CHECK


def hold_day(facts: DayFacts, claims: Sequence[StatedClaim], now: datetime) -> Hold | None:
    """Return the first reason why a day that is old enough is held, None if there is none."""
    if not facts.is_archive_current or facts.archived_count != facts.stored_count:
        counts = f"{facts.archived_count} of its {facts.stored_count} records are archived"
        return Hold(HoldCode.NOT_ARCHIVED, counts if facts.is_archive_current else "the archive is behind the journal")
    for each in claims:
        held = hold_claim(each, now)
        if held is not None:
            return held
    return None


def hold_claim(stated: StatedClaim, now: datetime) -> Hold | None:
    """Return why a holder's records of a day are held, None if they are not."""
    holder = stated.claim.holder
    name = f"{holder.kind} {holder.id} in {holder.currency}"
    if stated.statement is None:
        return Hold(HoldCode.OPEN_STATEMENT, f"no closed statement of {name} holds all its records of the day")
    end = find_dispute_end(stated.statement)
    if now < end:
        return Hold(HoldCode.DISPUTE_WINDOW, f"{name} may dispute its statement until {end.isoformat()}")
    if stated.has_open_dispute:
        return Hold(HoldCode.OPEN_DISPUTE, f"a dispute of {name} is open")
    return None


def is_all_stored(span: StatementSpan, archived_through: date | None, *, has_late: bool) -> bool:
    """Tell whether no record of a statement is read from the archive; late ones may be of any day before its period."""
    return archived_through is None or not (has_late or is_through(span.period.first_day, archived_through))


def compare_files(files: Sequence[ArchiveFile], digests: Mapping[str, str]) -> str:
    """Return what is wrong with archived files beside what they were when they were compared; empty if nothing is."""
    for each in files:
        found = digests.get(each.name, "missing")
        if each.sha256 is None or each.sha256 != found:
            return f"{each.name}: expected {each.sha256 or 'a digest'}, found {found}"
    return ""
