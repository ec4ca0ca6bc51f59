"""The reader who closes the books: what the ledger says, held against the engine's own log and the clients' tally.

It reckons by itself, in integers, from what the engine reported: nothing of keisan's code is asked what a call costs.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.e2e.reconciliation.report import Reported, Word
from tests.e2e.reconciliation.stage import (
    DAY_S,
    MARGIN_PPM,
    TAX_PPM,
    Killing,
    Ledger,
    PriceVersion,
    read_id_ms,
    read_instant_ns,
)
from tests.e2e.reconciliation.tally import Fate, Told

UNIT = 1_000_000
LATE_DAYS = 7
# Of one host's two clocks, and of who stamps a moment before or after it is.
TOLERANCE_NS = 50_000_000
# After the client left or the engine had answered, a busy gateway may take so long to write the record down.
WRITING_NS = 10_000_000_000
# A client's connection to a killed gateway may be found dead only when the next call is on its way.
NOTICING_NS = 10_000_000_000

Key = tuple[str, str, int, str]


@dataclass(slots=True)
class Books:
    """What should be, by the engine's log: sums by day, organization, price version and currency, and of each account.

    `differences` name a record or a call each; `unbilled` are the calls that a kill took before their records were written.
    """

    sums: Counter[Key] = field(default_factory=Counter)
    counts: Counter[Key] = field(default_factory=Counter)
    accounts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)
    unbilled: list[str] = field(default_factory=list)
    ties: Counter[str] = field(default_factory=Counter)
    late_nano: int = 0


@dataclass(frozen=True, slots=True)
class Billed:
    """A record that the ledger holds, as far as it is told apart here."""

    day: str
    organization_id: str
    price: PriceVersion
    provider_id: str
    amount_nano: int
    admitted_ns: int


def divide_half_even(dividend: int, divisor: int) -> int:
    """Divide once, half to even (R3); dividend >= 0."""
    quotient, rest = divmod(dividend, divisor)
    return quotient + (2 * rest > divisor or (2 * rest == divisor and quotient % 2 == 1))


class Reader:
    """Closes the books of one run; `wall_ns` is the system's wall clock less its monotonic one."""

    def __init__(self, ledger: Ledger, calls: Mapping[int, Told], reports: Mapping[str, Reported]) -> None:
        self.ledger, self.calls, self.reports = ledger, calls, reports
        self.wall_ns = time.time_ns() - time.monotonic_ns()
        self.prices = {price.id: price for price in ledger.prices}
        self.books = Books()
        self.spans: list[tuple[Told, int, str]] = []

    def read(self, records: Iterable[dict[str, Any]]) -> Books:
        """Compare record by record, then what nobody billed, then the order of prices."""
        seen: set[str] = set()
        for record in records:
            record_id = record["id"]
            if record_id in seen:
                self.books.differences.append(f"{record_id}: listed twice")
            seen.add(record_id)
            self.check_record(record)
        for record_id, reported in self.reports.items():
            if record_id not in seen:
                self.check_missing(record_id, reported)
        for call in self.calls.values():
            if call.fate is Fate.DONE and call.record_id not in seen:
                self.books.differences.append(f"{call.record_id}: completed, and no record")
        self.check_prices()
        return self.books

    def check_record(self, record: Mapping[str, Any]) -> None:
        """Hold one record of the ledger against what its engine reported."""
        record_id, reported = record["id"], self.reports.get(record["id"])
        amount_nano = int(record["amount_nano"])
        self.books.outcomes[f"{record['outcome']}/{record['usage_source']}"] += 1
        if reported is None:
            if amount_nano or any(record["quantities"].values()):
                self.books.differences.append(f"{record_id}: billed {amount_nano}, and no engine knows it")
            return
        call, price = self.calls.get(reported.number), self.prices[record["price_id"]]
        if call is None:
            self.books.differences.append(f"{record_id}: no client made call {reported.number}")
            return
        quantities = {"input": reported.input, "input_cached": reported.cached, "output": reported.output}
        told = {name: record["quantities"].get(name, 0) for name in quantities}
        expected_nano = self.reckon(reported, price)
        if (told, amount_nano) != (quantities, expected_nano):
            what = f"billed {told} = {amount_nano}, reported {quantities} = {expected_nano}"
            self.books.differences.append(f"{record_id}: call {call}: {what}")
        self.check_place(record, reported, call)
        billed = Billed(
            record["day"],
            self.ledger.organizations[call.payer],
            price,
            self.ledger.providers[reported.place],
            expected_nano,
            read_instant_ns(record["admitted_at"]),
        )
        self.spans.append((call, price.number, record_id))
        self.post(billed)

    def reckon(self, reported: Reported, price: PriceVersion) -> int:
        """Return the amount of what was reported, divided once."""
        total = reported.input * price.input + reported.cached * price.cached + reported.output * price.output
        if 2 * (total % UNIT) == UNIT:
            self.books.ties["odd" if total // UNIT % 2 else "even"] += 1
        return divide_half_even(total, UNIT)

    def check_place(self, record: Mapping[str, Any], reported: Reported, call: Told) -> None:
        """Hold who pays, who is paid, and when, against what clients and engine know of it."""
        record_id = record["id"]
        if record["organization_id"] != self.ledger.organizations[call.payer]:
            self.books.differences.append(f"{record_id}: another organization's")
        if record["provider_id"] != self.ledger.providers[reported.place]:
            self.books.differences.append(f"{record_id}: another provider's")
        if call.record_id not in {"", record_id}:
            self.books.differences.append(f"{record_id}: its client was told {call.record_id}")
        admitted_ns = read_instant_ns(record["admitted_at"])
        day = str(datetime.fromtimestamp(admitted_ns // 1_000_000_000, UTC).date())
        if (record["day"], read_id_ms(record_id)) != (day, admitted_ns // 1_000_000):
            self.books.differences.append(f"{record_id}: its day or its id is of another moment than {day}")
        first_ns, last_ns = (instant_ns + self.wall_ns for instant_ns in (call.begun_ns, call.ended_ns))
        if not any(
            first_ns - TOLERANCE_NS <= admitted_ns - offset_s * 1_000_000_000 <= last_ns + TOLERANCE_NS
            for offset_s in self.list_offsets(call)
        ):
            self.books.differences.append(f"{record_id}: admitted at {admitted_ns}, when its client was not calling")

    def list_offsets(self, call: Told) -> list[int]:
        """Return by how much the call's gateway's clock was off while it ran: while the clock is set, by either."""
        own = [each for each in self.ledger.offsets if each.gateway == call.gateway]
        ends = [each.until_ns for each in own[1:]] + [call.ended_ns + TOLERANCE_NS]
        return [
            each.offset_s
            for each, end_ns in zip(own, ends, strict=True)
            if each.from_ns <= call.ended_ns + TOLERANCE_NS and end_ns >= call.begun_ns - TOLERANCE_NS
        ]

    def post(self, billed: Billed) -> None:
        """Add a record to the sums, and its parts to the accounts that they belong to."""
        currency, amount_nano = billed.price.currency, billed.amount_nano
        key = (billed.day, billed.organization_id, billed.price.number, currency)
        self.books.sums[key] += amount_nano
        self.books.counts[key] += 1
        is_taxed = billed.admitted_ns >= self.ledger.deductions_from_ns
        tax_nano = divide_half_even(amount_nano * TAX_PPM, UNIT + TAX_PPM) if is_taxed else 0
        revenue_nano = divide_half_even((amount_nano - tax_nano) * MARGIN_PPM, UNIT) if is_taxed else 0
        is_late = billed.admitted_ns < time.time_ns() - LATE_DAYS * DAY_S * 1_000_000_000
        self.books.late_nano += amount_nano if is_late else 0
        payer = ("suspense", "", currency) if is_late else ("wallet", billed.organization_id, currency)
        self.books.accounts[payer] -= amount_nano
        self.books.accounts["tax", "", currency] += tax_nano
        self.books.accounts["platform_revenue", "", currency] += revenue_nano
        self.books.accounts["provider_payable", billed.provider_id, currency] += amount_nano - tax_nano - revenue_nano

    def check_missing(self, record_id: str, reported: Reported) -> None:
        """Say why the engine knows a call that the ledger does not: only a kill of its gateway excuses that."""
        call = self.calls.get(reported.number)
        if call is None:
            self.books.differences.append(f"{record_id}: call {reported.number} is in no tally")
        elif self.is_excused(call, reported):
            self.books.unbilled.append(f"call {reported.number} ({record_id}): {call.fate.name}, gateway killed")
        else:
            self.books.differences.append(f"{record_id}: reported {reported}, and no record: {call}")

    def is_excused(self, call: Told, reported: Reported) -> bool:
        """Tell whether the call did not complete, and its gateway was killed before its record must have been written."""
        if call.fate is Fate.BROKEN:
            return self.was_killed(call, call.begun_ns - NOTICING_NS, call.ended_ns)
        if call.fate is Fate.LEFT:
            return self.was_killed(call, call.begun_ns, max(call.ended_ns, reported.last_ns) + WRITING_NS)
        return False

    def was_killed(self, call: Told, from_ns: int, until_ns: int) -> bool:
        """Tell whether the call's gateway was killed within a span."""

        def is_within(killing: Killing) -> bool:
            return killing.gateway == call.gateway and killing.from_ns <= until_ns and killing.until_ns >= from_ns

        return any(map(is_within, self.ledger.killings))

    def check_broken(self) -> None:
        """Every answer that broke off is explained by a kill."""
        for number, call in self.calls.items():
            if call.fate is Fate.BROKEN and not self.is_excused(call, Reported(number)):
                self.books.differences.append(f"call {number} broke off, and its gateway lived: {call}")

    def check_prices(self) -> None:
        """No gateway takes a price before it is in force, nor an older one after a newer."""
        self.check_broken()
        for price in self.ledger.prices[1:]:
            for call, number, record_id in self.spans:
                if number == price.number and call.ended_ns + self.wall_ns < price.effective_ns - TOLERANCE_NS:
                    self.books.differences.append(f"{record_id}: price {number} before it was in force")
        for gateway in {call.gateway for call, _, _ in self.spans}:
            own = [span for span in self.spans if span[0].gateway == gateway]
            self._check_order(own)

    def _check_order(self, spans: list[tuple[Told, int, str]]) -> None:
        ended = sorted(spans, key=lambda span: span[0].ended_ns)
        place, newest = 0, 0
        for call, number, record_id in sorted(spans, key=lambda span: span[0].begun_ns):
            while ended[place][0].ended_ns < call.begun_ns:
                newest = max(newest, ended[place][1])
                place += 1
            if number < newest:
                self.books.differences.append(f"{record_id}: price {number} after {newest}")


def count_words(reports: Iterable[Reported]) -> Counter[str]:
    """Return how the engine's answers ended, by the last word on usage."""
    return Counter(Word(each.word).name if each.word else "NOTHING" for each in reports)
