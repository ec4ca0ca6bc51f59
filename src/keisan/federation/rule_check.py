"""Whether what must hold between platforms holds, judged on what both sides say: held, broken, or unknown. Pure.

What could not be looked at is unknown and never held; what one side has and the other has not is broken, and said in numbers.
"""

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from keisan.domain.federation_check import CheckState, Finding, Invariant
from keisan.domain.link_log import LinkLog, LogCursor

# How each is checked, for whoever reads the answer.
METHODS: Mapping[Invariant, str] = {
    Invariant.SILENCE: "the chained audit log, read whole: what it says was made is there, what has ended it says who ended",
    Invariant.FENCING: "no device in two grants that hold, none of a grant with replicas of two deployments, no call served twice",
    Invariant.LOGS: "asked the neighbour: how far it has applied, compared by running hash, both ways",
    Invariant.REGISTERS: "asked the neighbour: digests of what either offers and the other holds, in 256 buckets",
    Invariant.LEDGERS: "asked the neighbour: number and digest of the leaves of each settlement, and what was signed",
    Invariant.CREDIT: "each platform ticket: all of it returned, spent or left; no end believes in more than home leased",
    Invariant.RECORDS: "letters that were acknowledged and not applied: all are kept, and none is there but those that will be tried again",
}
# Those that only the neighbour can tell.
ASKED = (Invariant.LOGS, Invariant.REGISTERS, Invariant.LEDGERS)


@dataclass(frozen=True, slots=True)
class LogReading:
    """One direction of a log: where its sender is, how far its receiver has applied it, and the sender's hash there.

    `reached_sequence` is what had been written when the check began: it must have arrived. `hash` is None for a place that is
    not kept.
    """

    log: LinkLog
    end: LogCursor | None
    cursor: LogCursor | None
    hash: bytes | None
    reached_sequence: int


@dataclass(frozen=True, slots=True)
class TicketAmounts:
    """What one end has of a platform ticket, in nano-units at the wholesale price."""

    ceiling_nano: int
    returned_nano: int
    spent_nano: int


@dataclass(frozen=True, slots=True)
class LedgerReading:
    """What one side holds of a settlement; `statement` is the digest of what both signed, empty before."""

    leaf_count: int
    digest: bytes
    statement: str


LedgerName = tuple[str, str]


@dataclass(slots=True)
class LifeCount:
    """What the audit log says of keys, deployments and replicas, and which of them there are."""

    made: set[UUID] = field(default_factory=set)
    ended: set[UUID] = field(default_factory=set)
    events: int = 0
    is_chained: bool = True


def tell_unknown(invariant: Invariant, neighbour: str, text: str) -> Finding:
    """Return that nothing can be said."""
    return Finding(invariant, neighbour, CheckState.UNKNOWN, {}, text)


def judge(invariant: Invariant, neighbour: str, numbers: Mapping[str, int], faults: Sequence[str]) -> Finding:
    """Return what was found: held without faults, else broken, with the first of them in words."""
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    state = CheckState.BROKEN if faults else CheckState.HELD
    return Finding(invariant, neighbour, state, numbers, f"{faults[0]}{more}" if faults else "")


def judge_life(told: LifeCount, present: Iterable[UUID], gone: Iterable[UUID]) -> Finding:
    """Judge that nothing went by silence: all that was made is there, and each that has ended was ended by somebody's word."""
    there, over = set(present), set(gone)
    lost, unsaid = told.made - there, over - told.ended
    faults = [f"{len(lost)} were made and are not there: {min(lost)}"] if lost else []
    if unsaid:
        faults.append(f"{len(unsaid)} have ended and nobody ended them: {min(unsaid)}")
    if not told.is_chained:
        faults.append("the audit log's chain is broken")
    numbers = {"events": told.events, "made": len(told.made), "there": len(there), "ended": len(over)}
    return judge(Invariant.SILENCE, "", numbers, faults)


def judge_fencing(
    granted: Iterable[UUID], running: Iterable[tuple[UUID, UUID]], served: Iterable[tuple[UUID, str]]
) -> Finding:
    """Judge that nothing runs twice.

    `granted` are the devices of grants that hold, `running` the devices of such grants with the deployments that have live
    replicas on them, and `served` calls across platforms with who says that it served them.
    """
    devices, deployments, servers = Counter(granted), set(running), set(served)
    doubled = [f"device {each} is in {count} grants" for each, count in devices.items() if count > 1]
    shared = Counter(device for device, _ in deployments)
    doubled += [f"device {each} runs {count} deployments of grants" for each, count in shared.items() if count > 1]
    calls = Counter(record for record, _ in servers)
    doubled += [f"call {each} was served by {count} platforms" for each, count in calls.items() if count > 1]
    numbers = {"devices_granted": len(devices), "devices_running": len(shared), "calls_served": len(calls)}
    return judge(Invariant.FENCING, "", numbers, doubled)


def judge_logs(neighbour: str, sent: Iterable[LogReading], taken: Iterable[LogReading]) -> Finding:
    """Judge that every log has arrived, with what it had: `sent` by this platform, `taken` from the neighbour."""
    faults: list[str] = []
    numbers: dict[str, int] = {}
    for direction, readings in (("sent", sent), ("taken", taken)):
        for each in readings:
            numbers[f"{each.log}_{direction}"] = each.end.sequence if each.end else 0
            numbers[f"{each.log}_{direction}_applied"] = each.cursor.sequence if each.cursor else 0
            if fault := _find_log_fault(each):
                faults.append(f"{direction} log {each.log}: {fault}")
    return judge(Invariant.LOGS, neighbour, numbers, faults)


def _find_log_fault(reading: LogReading) -> str:
    end, cursor = reading.end, reading.cursor
    if end is None:
        return "the receiver has applied what the sender does not have" if cursor else ""
    if cursor is None:
        return f"{end.sequence} letters have not arrived" if end.sequence else ""
    if cursor.incarnation != end.incarnation:
        return "the two sides are in different incarnations"
    if cursor.sequence > end.sequence:
        return f"the receiver is {cursor.sequence - end.sequence} letters ahead of the sender"
    if cursor.sequence < reading.reached_sequence:
        return f"{reading.reached_sequence - cursor.sequence} letters have not arrived"
    if reading.hash is not None and reading.hash != cursor.hash:
        return f"different letters up to {cursor.sequence}: the running hashes differ"
    return ""


def judge_registers(neighbour: str, pairs: Mapping[str, tuple[Sequence[int], Sequence[int]]]) -> Finding:
    """Judge that each side holds what the other offers: by direction, the digests of both sides by bucket."""
    faults: list[str] = []
    numbers: dict[str, int] = {}
    for direction, (offered, held) in pairs.items():
        apart = sum(ours != theirs for ours, theirs in zip(offered, held, strict=False)) + abs(len(offered) - len(held))
        numbers |= {f"buckets_{direction}": len(offered), f"buckets_{direction}_apart": apart}
        if apart:
            faults.append(f"{direction}: {apart} of {len(offered)} buckets of registers differ")
    return judge(Invariant.REGISTERS, neighbour, numbers, faults)


def judge_ledgers(
    neighbour: str, own: Mapping[LedgerName, LedgerReading], other: Mapping[LedgerName, LedgerReading]
) -> Finding:
    """Judge that both sides hold the same leaves of each settlement between them; one that has none of a side counts as empty."""
    faults = []
    for name in sorted({*own, *other}):
        here, there = own.get(name), other.get(name)
        counts = (here.leaf_count if here else 0, there.leaf_count if there else 0)
        where = f"{name[1]} of {name[0][:12]}"
        if counts[0] != counts[1]:
            faults.append(f"{where}: {counts[0]} leaves here and {counts[1]} there")
        elif here and there and here.digest != there.digest:
            faults.append(f"{where}: {counts[0]} leaves on both sides, but not the same")
        elif here and there and here.statement and there.statement and here.statement != there.statement:
            faults.append(f"{where}: the two sides have signed for different words")
    numbers = {"settlements": len({*own, *other}), "leaves": sum(each.leaf_count for each in own.values())}
    return judge(Invariant.LEDGERS, neighbour, numbers, faults)


def judge_credit(broken: Sequence[str], ticket_count: int) -> Finding:
    """Judge that credit is conserved in each ticket that is kept here; `broken` says in words which is not."""
    return judge(Invariant.CREDIT, "", {"tickets": ticket_count}, broken)


def find_unequal(ticket: str, home: TicketAmounts, serving: TicketAmounts) -> str:
    """Return what cannot be of both ends of one ticket, empty if nothing. Either may be behind: neither may be ahead.

    Home alone leases, so the serving end never has more; that one alone returns and serves, so home never has more of either.
    """
    if serving.ceiling_nano > home.ceiling_nano:
        return f"ticket {ticket}: the serving end believes in {serving.ceiling_nano}, home leased {home.ceiling_nano}"
    if home.returned_nano > serving.returned_nano:
        return f"ticket {ticket}: home has {home.returned_nano} back, the serving end returned {serving.returned_nano}"
    if home.spent_nano > serving.spent_nano:
        return f"ticket {ticket}: home paid {home.spent_nano}, the serving end served {serving.spent_nano}"
    return ""


def judge_records(codes: Iterable[str], waiting_codes: Container[str]) -> Finding:
    """Judge that no letter that came was lost: `codes` say why each was refused that is kept; those with `waiting_codes` are tried again."""
    counted = Counter(codes)
    refused = {code: count for code, count in counted.items() if code not in waiting_codes}
    faults = [f"{count} letters were refused: {code}" for code, count in sorted(refused.items())]
    total = sum(refused.values())
    return judge(Invariant.RECORDS, "", {"letters_refused": total, "letters_waiting": counted.total() - total}, faults)


def is_all_held(findings: Iterable[Finding]) -> bool:
    """Tell whether every invariant was looked at and holds."""
    return all(each.state is CheckState.HELD for each in findings)
