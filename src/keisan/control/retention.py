"""What retention knows of a day, and what it would do: asked by its reconciler before each step, and by an operator."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from keisan.domain.access import PlatformScope
from keisan.domain.archive import ArchiveFile
from keisan.domain.retention import Hold, HoldCode, RetentionKind, RetentionMark, RetentionTerms
from keisan.ledger.rule_retention import (
    DayFacts,
    RetentionStep,
    StatedClaim,
    choose_step,
    find_limit,
    hold_day,
    is_day_old,
)
from keisan.storage.base import Transaction

EVERYTHING = PlatformScope()


@dataclass(frozen=True, slots=True)
class ExaminedDay:
    """A day with its archived files, and why it is held, None if it is not."""

    facts: DayFacts
    files: Sequence[ArchiveFile]
    hold: Hold | None


@dataclass(frozen=True, slots=True)
class KindPlan:
    """Of a kind other than usage: how long it is kept, and how many may go now."""

    kind: RetentionKind
    days: int
    expired_count: int


@dataclass(frozen=True, slots=True)
class RetentionPlan:
    """What retention has done, and what it would do next. `day` is the oldest that is stored, None without one."""

    terms: RetentionTerms
    mark: RetentionMark
    step: RetentionStep
    day: ExaminedDay | None
    kinds: Sequence[KindPlan]


async def examine_day(view: Transaction, day: date, now: datetime) -> ExaminedDay:
    """Return what there is of a day, and the first reason to hold it."""
    files = await view.archive.list_files(day, day)
    cursor = await view.archive.get_cursor()
    facts = DayFacts(
        day,
        stored_count=await view.retention.count_day(EVERYTHING, day),
        archived_count=sum(each.record_count for each in files),
        is_archive_current=cursor.is_before_done,
    )
    claims = []
    for claim in await view.retention.list_claims(EVERYTHING, day):
        statement = await view.statements.find_holding(EVERYTHING, claim.holder, day, claim.sequence)
        claims.append(StatedClaim(claim, statement, await view.disputes.has_open(EVERYTHING, claim.holder)))
    return ExaminedDay(facts, files, hold_day(facts, claims, now))


async def plan_retention(view: Transaction, terms: RetentionTerms, now: datetime) -> RetentionPlan:
    """Return what would go, and why what is held is held; nothing is changed."""
    mark = await view.retention.get_mark(EVERYTHING)
    oldest = await view.retention.find_oldest_day(EVERYTHING, mark.deleted_through)
    step = choose_step(mark, oldest, terms, now)
    kinds = []
    for kind in RetentionKind:
        before = find_limit(terms, kind, now)
        if kind is not RetentionKind.USAGE:
            count = await view.retention.count_expired(EVERYTHING, kind, before) if before is not None else 0
            kinds.append(KindPlan(kind, terms.get_days(kind), count))
    return RetentionPlan(terms, mark, step, await _explain_day(view, oldest, mark, terms, now), kinds)


async def _explain_day(
    view: Transaction, oldest: date | None, mark: RetentionMark, terms: RetentionTerms, now: datetime
) -> ExaminedDay | None:
    if oldest is None:
        return None
    examined = await examine_day(view, oldest, now)
    if not is_day_old(oldest, terms, now):
        kept = f"usage is kept for {terms.usage_days} days" if terms.usage_days else "usage is kept for ever"
        return ExaminedDay(examined.facts, examined.files, Hold(HoldCode.YOUNG, kept))
    if examined.hold is None and mark.fault:
        return ExaminedDay(examined.facts, examined.files, Hold(HoldCode.ARCHIVE_DIFFERS, mark.fault))
    return examined
