"""Keeps the relay in credit (R1, R4): reports what it spent, applies what the platform leases, gives back what it asks.

Every `renew_s`, and at once when a call waits. One exchange at a time, so what an answer says is in force before the next
report speaks of it; an answer that came too late is dropped, and the platform knows it from the next report.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from keisan.domain.errors import Failed, KeisanError
from keisan.gateway.credit_parts import Line, merge_answers, name_owners, split_report
from keisan.gateway.demand import Demand
from keisan.gateway.link import PlatformLink
from keisan.gateway.relay import Relay
from keisan.gateway.shares_file import HostTime, KeptShares, build_shares, read_shares, write_shares
from keisan.gateway.usage_upload import UsageUpload
from keisan.kit.clock import Clock, read_boot_id
from keisan.kit.observe import write_log, write_warning
from keisan.kit.retry import Backoff
from keisan.wire.credit import CreditAnswer, CreditReport, LeasedTicket, RateShare

# A relay whose calls go on waiting must not ask in a busy loop.
STEP_PAUSE_S = 0.1
# The wait blocks a thread, and the end of the process waits for the thread.
WAIT_SLICE_S = 0.5
# Shares that did not change are written again this many times within their lease, so that a restart finds them young.
WRITES_PER_LEASE = 10


@dataclass(slots=True)
class CreditLease:
    """`upload` knows how far the spool was passed; shares are kept at `path`, and `kept` is what stands there."""

    link: PlatformLink
    relay: Relay
    clock: Clock
    upload: UsageUpload
    path: Path
    kept: KeptShares = field(default_factory=KeptShares)
    backoff: Backoff = field(default_factory=lambda: Backoff(most_s=10.0))
    random: Random = field(default_factory=Random)
    boot_id: str = field(default_factory=read_boot_id)
    _in_force: KeptShares = field(default_factory=KeptShares)
    _heard: Mapping[str, LeasedTicket] = field(default_factory=dict)
    _sequence: int = 0
    _is_answered: bool = False
    _demand: Demand = field(default_factory=Demand)
    _counted_at_s: float = 0.0

    def __post_init__(self) -> None:
        self._counted_at_s = self.clock.monotonic_s()

    async def load(self) -> None:
        """Put the kept shares in force if they are leased still; raises Failed if the relay refuses them."""
        self.kept = await asyncio.to_thread(read_shares, self.path)
        left_s = self.kept.count_left_s(self._read_time())
        if not left_s:
            await self._keep(KeptShares())
            return
        rates = tuple(RateShare(limit_id=name, share_ppm=share) for name, share in self.kept.shares_ppm.items())
        share_ppm = self.kept.default_share_ppm
        await self._apply(CreditAnswer(lease_s=left_s, renew_s=1, rates=rates, default_share_ppm=share_ppm))
        self._in_force = self.kept
        write_log("shares.loaded", limits=len(rates), left_s=left_s)

    async def run(self) -> None:
        """Exchange until cancelled; while the platform is silent, with backoff."""
        attempt = 0
        while True:
            try:
                pause_s = await self.exchange()
                attempt = 0
            except KeisanError as fault:
                attempt += 1
                retry_s = self.backoff.compute_wait_s(attempt, self.random)
                write_warning(
                    "credit.not_exchanged", fault=str(fault)[:500], code=fault.code, retry_s=round(retry_s, 1)
                )
                await self.clock.sleep(retry_s)
                continue
            await self.clock.sleep(STEP_PAUSE_S)
            await self._wait(pause_s - STEP_PAUSE_S)

    async def exchange(self) -> float:
        """Make one exchange and return in how many seconds the next is due: at once if the platform waits for a word.

        Raises KeisanError if there was no answer, or none that the relay takes; all stays as it was.
        """
        reports = await self._build_reports(is_last=False)
        # Later than the relay counts from, and earlier than the platform does.
        asked_at = self._read_time()
        self._is_answered = False
        # Of an answer in parts nothing is in force before all of it is here.
        answer = merge_answers([await self.link.exchange_credit(report) for report in reports])
        await self._apply(answer)
        self._is_answered = True
        self._heard = {str(ticket.ticket_id): ticket for ticket in answer.tickets}
        self._in_force = build_shares(answer, asked_at)
        if self._is_write_due():
            await self._keep(self._in_force)
        return 0.0 if _is_word_awaited(reports, answer) else float(answer.renew_s)

    async def end(self) -> None:
        """Say the last word, when no call is open and no record left: the tickets end, and the shares are others' at once.

        A gateway whose platform is silent keeps its shares for its next start. Raises KeisanError if nobody answered.
        """
        self._in_force = KeptShares()
        if self._is_answered:
            # Before the word: a crash between the two may cost shares, and never leaves two gateways with the same one.
            await self._keep(self._in_force)
        for report in await self._build_reports(is_last=True):
            await self.link.exchange_credit(report)

    def _read_time(self) -> HostTime:
        return HostTime(self.boot_id, self.clock.monotonic_s())

    async def _build_reports(self, *, is_last: bool) -> list[CreditReport]:
        """Return the relay's report with what the shell knows, in parts; raises Failed if the relay said something else."""
        text = await asyncio.to_thread(self.relay.report_credit)
        try:
            said = json.loads(text)
            known = {
                "is_spool_passed": self.upload.is_backlog_passed,
                "tickets": [self._complete_ticket(word) for word in said["tickets"]],
                "rates": self._complete_rates([] if is_last else said["rates"]),
                "default_share_ppm": self._find_default(),
                "is_last": is_last,
            }
            owners = name_owners({ticket_id: ticket.holder_id for ticket_id, ticket in self._heard.items()})
            return [self._number_report(part) for part in split_report(said | known, owners)]
        except (ValueError, KeyError, TypeError) as fault:
            raise Failed("the relay's credit report cannot be read", str(fault)[:500]) from fault

    def _number_report(self, said: Line) -> CreditReport:
        self._sequence += 1
        return CreditReport.model_validate(said | {"sequence": self._sequence})

    def _complete_ticket(self, word: Line) -> Line:
        """Return what the relay says of a ticket, with the credit that it last heard of."""
        heard = self._heard.get(str(word["ticket_id"]))
        return word | {"credit_nano": heard.credit_nano if heard else 0}

    def _list_held(self) -> list[KeptShares]:
        """Return what may be in use: what is in force, and what stands on disk, for as long as it is leased."""
        now = self._read_time()
        return [shares for shares in (self._in_force, self.kept) if shares.is_leased(now)]

    def _find_default(self) -> int:
        return max((shares.default_share_ppm for shares in self._list_held()), default=0)

    def _complete_rates(self, lines: list[Line]) -> list[Line]:
        """Return the lines of limits that are asked for, or of which more may be in use than of those that nobody names.

        The relay names all limits of its snapshot. What stands on disk counts too: after a crash it would be in force.
        """
        said_ppm = {str(line["limit_id"]): int(line["share_ppm"]) for line in lines}
        asked = self._note_demand({str(line["limit_id"]): int(line["demand_per_minute"]) for line in lines})
        held = [said_ppm, *(shares.shares_ppm for shares in self._list_held())]
        default_share_ppm, completed = self._find_default(), list[Line]()
        for limit_id in asked.keys() | set[str]().union(*held):
            demand = asked.get(limit_id, 0)
            share_ppm = max(shares_ppm.get(limit_id, 0) for shares_ppm in held)
            if demand or share_ppm > default_share_ppm:
                completed.append({"limit_id": limit_id, "share_ppm": share_ppm, "demand_per_minute": demand})
        return completed

    def _note_demand(self, counted: Mapping[str, int]) -> Mapping[str, int]:
        now_s = self.clock.monotonic_s()
        elapsed_s, self._counted_at_s = now_s - self._counted_at_s, now_s
        return self._demand.note({name: count for name, count in counted.items() if count}, elapsed_s)

    async def _apply(self, answer: CreditAnswer) -> None:
        try:
            await asyncio.to_thread(self.relay.apply_credit, answer.model_dump_json())
        except ValueError as fault:
            raise Failed("the relay refuses the credit answer", str(fault)[:500]) from fault

    def _is_write_due(self) -> bool:
        young_s = self.kept.lease_s * (WRITES_PER_LEASE - 1) // WRITES_PER_LEASE
        return self.kept.count_left_s(self._read_time()) < young_s or not self._in_force.is_same_as(self.kept)

    async def _keep(self, shares: KeptShares) -> None:
        """Write shares; where that fails, what stands on disk goes on being reported as in use."""
        try:
            await asyncio.to_thread(write_shares, self.path, shares)
        except OSError as fault:
            write_warning("shares.not_kept", path=str(self.path), fault=str(fault))
            return
        self.kept = shares

    async def _wait(self, pause_s: float) -> None:
        end_s = self.clock.monotonic_s() + pause_s
        while (left_s := end_s - self.clock.monotonic_s()) > 0:
            if await asyncio.to_thread(self.relay.wait_credit, min(WAIT_SLICE_S, left_s)):
                return


def _is_word_awaited(reports: Sequence[CreditReport], answer: CreditAnswer) -> bool:
    """Tell whether another gateway may be waiting for what this one is to give back or to lower."""
    reported = {line.limit_id: line.share_ppm for report in reports for line in report.rates}
    is_lowered = any(line.share_ppm < reported.get(line.limit_id, 0) for line in answer.rates)
    is_default_lowered = answer.default_share_ppm < reports[0].default_share_ppm
    return is_lowered or is_default_lowered or any(ticket.give_back_nano for ticket in answer.tickets)
