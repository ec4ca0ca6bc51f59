"""Rules of settlement between platforms: in which period a record is, what is settled and what waits, when a period is signed for.

The period follows from the moment of admission that home wrote into the record, never from arrival; leaves stand in order of
record id. So both sides come to the same root whatever came when, however often, and by which way.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from keisan.domain.cross_record import (
    CrossState,
    CrossUsage,
    LeafMark,
    RecordEnd,
    find_admission_ms,
    find_period_end_ms,
    name_settlement,
)
from keisan.domain.errors import InvalidInput
from keisan.domain.ids import PlatformId
from keisan.domain.limits import CROSS_LATENESS_S_MAX, PERIOD_GRACE_S, TOTAL_GRACE_S
from keisan.domain.merkle import compute_root
from keisan.domain.settlement import (
    ONE_HOUR,
    NetPosition,
    PeriodStatement,
    Settlement,
    SettlementState,
    find_hour,
    name_hour,
)


class HoldCode(StrEnum):
    """Why a record is not settled, beside what both ends do not agree on."""

    REVOKED = "revoked"
    LATE = "late"
    PERIOD_ENDED = "period_ended"
    WRONG_PERIOD = "wrong_period"
    WRONG_REGION = "wrong_region"


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a platform from those who vouch for it: its region, None for one of no region, and since when it is revoked."""

    region: str | None = None
    revoked_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class BatchFacts:
    """What a record of a batch is judged by: the settlement that it names, when it was signed, whether both have signed for that.

    What has not come yet is not among it, so a record is judged alike whatever came first.
    """

    period: str
    made_at_ms: int
    is_countersigned: bool
    standing: Standing


def order_leaves(marks: Iterable[LeafMark]) -> list[LeafMark]:
    """Return leaves in the order of their tree: by record id, never as they came."""
    return sorted(marks, key=lambda mark: mark.leaf_id.int)


def compute_leaves_root(marks: Iterable[LeafMark]) -> str:
    """Return the root (hex) over leaves in any order."""
    return compute_root(mark.leaf_hash for mark in order_leaves(marks)).hex()


def choose_settlement(admitted_at_ms: int, ended: Collection[str]) -> str:
    """Return the settlement of an own record: its admission's period, or the next one that was not ended yet."""
    at_ms = admitted_at_ms
    while name_settlement(at_ms) in ended:
        at_ms = find_period_end_ms(name_settlement(at_ms))
    return name_settlement(at_ms)


def check_usage(usage: CrossUsage, author: PlatformId, audience: PlatformId) -> None:
    """Raise InvalidInput for a record that its author may not write: not of these two, or of another moment than its id."""
    if (usage.author, usage.audience) != (author, audience) or author == audience:
        raise InvalidInput("a record is its home's or its serving platform's word to the other", "leaf")
    if usage.admitted_at_ms != find_admission_ms(usage.record_id):
        raise InvalidInput("a record's id tells the moment of its admission", "leaf.admitted_at_ms")


def is_after_revocation(usage: CrossUsage, standing: Standing) -> bool:
    """Tell whether a record was made when its author was revoked: what it made before is settled."""
    return standing.revoked_at_ms is not None and usage.admitted_at_ms >= standing.revoked_at_ms


def is_too_late(usage: CrossUsage, made_at_ms: int) -> bool:
    """Tell whether a record was signed so long after its admission that it is its author's risk."""
    return made_at_ms - usage.admitted_at_ms > CROSS_LATENESS_S_MAX * 1000


def judge_record(usage: CrossUsage, facts: BatchFacts) -> HoldCode | None:
    """Return why a record is not settled, None if no rule forbids it."""
    if is_after_revocation(usage, facts.standing):
        return HoldCode.REVOKED
    if is_too_late(usage, facts.made_at_ms):
        return HoldCode.LATE
    # A later settlement than its own is for what came after its author had ended that one, so not much later.
    latest = name_settlement(usage.admitted_at_ms + (CROSS_LATENESS_S_MAX + PERIOD_GRACE_S) * 1000)
    if not name_settlement(usage.admitted_at_ms) <= facts.period <= latest:
        return HoldCode.WRONG_PERIOD
    if facts.is_countersigned:
        return HoldCode.PERIOD_ENDED
    return HoldCode.WRONG_REGION if has_other_region(usage, facts.standing) else None


def decide_state(hold: HoldCode | None, differences: Sequence[str]) -> tuple[CrossState, str]:
    """Return what is held of a record and why, from the rules and from what both ends do not agree on."""
    if hold is not None:
        return CrossState.SUSPENDED, hold
    return (CrossState.DISPUTED, ",".join(differences)) if differences else (CrossState.SETTLED, "")


def choose_region(vouched: str | None, told: str) -> str:
    """Return the region of what a platform tells: the one that its names vouch for, never another that its letter claims.

    A platform of no region tells those of its sites.
    """
    return told if vouched is None else vouched


def has_other_region(usage: CrossUsage, standing: Standing) -> bool:
    """Tell whether a serving platform says that a call ran in a region that is not its own."""
    return usage.end is RecordEnd.SERVING and usage.region != choose_region(standing.region, usage.region)


def is_period_over(period: str, now_ms: int) -> bool:
    """Tell whether a period may be ended: it is past, and there was time to hand in what belongs to it."""
    return now_ms >= find_period_end_ms(period) + PERIOD_GRACE_S * 1000


def list_hours(last: str | None, now: datetime) -> list[str]:
    """Return the hours of which a total is to be told now, oldest first: those that are over, after the last one that was told.

    Of what is older than the window of late records nothing is told any more.
    """
    first = find_hour(name_hour(now - timedelta(seconds=CROSS_LATENESS_S_MAX)))
    if last is not None:
        first = max(first, find_hour(last) + ONE_HOUR)
    until = now - timedelta(seconds=TOTAL_GRACE_S)
    return [name_hour(first + number * ONE_HOUR) for number in range(max(0, (until - first) // ONE_HOUR))]


def is_same_period(statement: PeriodStatement, marks: Sequence[LeafMark]) -> bool:
    """Tell whether what is here, records and totals, is all that an author says there is."""
    is_counted = statement.record_count + statement.total_count == len(marks)
    return is_counted and statement.leaves_root == compute_leaves_root(marks)


def decide_ended(stored: Settlement, statement: PeriodStatement) -> bool:
    """Tell whether an author's word on the end is newer than what is here; what was signed for is never ended anew."""
    is_closed = stored.state is SettlementState.COUNTERSIGNED
    return not is_closed and (stored.statement is None or statement.revision > stored.revision)


def is_trimmable(settlement: Settlement) -> bool:
    """Tell whether what proves a settlement may leave the disk of either side: once both have signed, and not before."""
    return settlement.state is SettlementState.COUNTERSIGNED


def sum_amounts(usages: Iterable[CrossUsage], end: RecordEnd) -> dict[str, int]:
    """Return the amounts of one end's records by currency, in order of currency."""
    found: dict[str, int] = {}
    for usage in usages:
        if usage.end is end:
            found[usage.currency] = found.get(usage.currency, 0) + usage.amount_nano
    return dict(sorted(found.items()))


def compute_net(
    own: PlatformId, other: PlatformId, period: str, settled: Mapping[PlatformId, Mapping[str, int]], *, is_final: bool
) -> list[NetPosition]:
    """Return who owes whom after both directions: `settled` is what each of the two is owed by the other, by currency."""
    ours, theirs = settled.get(own, {}), settled.get(other, {})
    positions = []
    for currency in sorted({*ours, *theirs}):
        amount_nano = ours.get(currency, 0) - theirs.get(currency, 0)
        creditor, debtor = (own, other) if amount_nano >= 0 else (other, own)
        positions.append(NetPosition(period, creditor, debtor, currency, abs(amount_nano), is_final))
    return positions


def digest_text(content: bytes) -> str:
    """Return the hex SHA-256 of what was signed."""
    return hashlib.sha256(content).hexdigest()
