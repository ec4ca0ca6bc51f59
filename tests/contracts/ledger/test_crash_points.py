"""A crash at any step of any movement of money, on both databases: what is said again ends where one that went well does.

A script of all that touches money is played as it is, and with a crash on both sides of each statement and commit. One before
the commit leaves the database as it was, row by row; one after it has done the work and lost the answer.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from keisan.api.app import create_app
from keisan.api.context import ApiContext
from keisan.control.lease import LeaseLoop, Reconcilers
from keisan.control.reconcilers.closing import ClosingReconciler
from keisan.control.reconcilers.ticket import TicketReconciler
from keisan.control.reconcilers.top_up import TopUpReconciler
from keisan.control.snapshot import SnapshotFeed
from keisan.control.telemetry import FleetWatch
from keisan.domain.access import PlatformScope
from keisan.domain.lease import WorkNoun
from keisan.domain.limits import LEASE_LIFE_S, TICKET_LATENESS_S, TICKET_LEASE_S, TOP_UP_PROPOSED_S
from keisan.domain.ticket import CreditTerms
from keisan.kit.ids import create_id
from tests.api.stage import BASE_URL, Stage, build_credit_report, build_record, copy_stage
from tests.books import Books, check_whole, drop_settlement, dump, read_books
from tests.faults import Crash, Faults, Side, open_faulty
from tests.storage.rows import execute_unguarded

# Every step of everything, on a machine that others share and with every line counted.
pytestmark = pytest.mark.timeout(900)

CLOSING_AT = datetime(2026, 12, 8, tzinfo=UTC)
CALL_NANO = 30_500
RETRIES_MAX = 3


@dataclass
class Hands:
    """Those who do the operations: what they have written down, so that they say the same thing again."""

    stage: Stage
    faults: Faults
    notes: dict[str, str] = field(default_factory=dict)
    lines: dict[str, bytes] = field(default_factory=dict)
    sequence: int = 0

    async def ask(self, who: str, method: str, path: str, body: object, **headers: str) -> dict[str, object]:
        """Send a write with an idempotency key of its own, the same each time."""
        sent = {"idempotency-key": f"{method} {path} {json.dumps(body)[:60]}"} | headers
        answer = await self.stage.ask(who, method, path, body, sent)
        assert answer.status_code < 300, answer.text
        told: dict[str, object] = answer.json()
        return told

    def write_record(self, name: str, **changes: object) -> bytes:
        """Return a record of a call, written once."""
        return self.lines.setdefault(name, build_record(self.stage, **changes))

    async def report(self, incarnation: str, **changes: object) -> None:
        """Say the gateway's next word; a report whose answer was lost is followed by another one that says the same."""
        self.sequence += 1
        body = build_credit_report(self.stage, incarnation=self.notes[incarnation], sequence=self.sequence, **changes)
        answer = await self.stage.ask("gateway", "POST", "/gateway/credit", body)
        assert answer.status_code == 200, answer.text
        for ticket in answer.json()["tickets"]:
            self.notes[f"ticket of {incarnation}"] = ticket["ticket_id"]

    async def loop(self, noun: WorkNoun) -> None:
        """Run the lease loop once for a noun, after whoever had its work before has lost it."""
        terms = CreditTerms()
        reconcilers: Reconcilers = {
            WorkNoun.CLOSING: ClosingReconciler(self.stage.control),
            WorkNoun.TICKET: TicketReconciler(terms),
            WorkNoun.TOP_UP: TopUpReconciler(),
        }
        await self.stage.clock.sleep(LEASE_LIFE_S + 1)
        await LeaseLoop(self.stage.control, {noun: reconcilers[noun]}).run_round()


Operation = Callable[[Hands], Awaitable[object]]


def word(hands: Hands, name: str, spent_nano: int, returned_nano: int) -> list[dict[str, object]]:
    ticket_id = hands.notes[f"ticket of {name}"]
    return [
        {
            "ticket_id": ticket_id,
            "spent_nano": str(spent_nano),
            "reserved_nano": "0",
            "returned_nano": str(returned_nano),
        }
    ]


def path_top_ups(hands: Hands) -> str:
    return f"/organizations/{hands.stage.project.organization_id}/top-ups"


async def limit_one_admin(hands: Hands) -> None:
    await hands.ask("admin", "PATCH", "/platform", {"four_eyes_nano": {"CNY": "1000000"}}, **{"if-match": '"1"'})


async def fill(hands: Hands) -> None:
    await hands.ask("admin", "POST", path_top_ups(hands), {"amount_nano": "900000", "currency": "CNY"})


def propose(amount_nano: int) -> Operation:
    async def run(hands: Hands) -> None:
        body = {"amount_nano": str(amount_nano), "currency": "CNY"}
        hands.notes[str(amount_nano)] = str((await hands.ask("admin", "POST", path_top_ups(hands), body))["id"])

    return run


def decide(amount_nano: int, verb: str) -> Operation:
    async def run(hands: Hands) -> None:
        await hands.ask("second_admin", "POST", f"/top-ups/{hands.notes[str(amount_nano)]}/{verb}", None)

    return run


def lease(name: str, wanted_nano: int) -> Operation:
    async def run(hands: Hands) -> None:
        if name not in hands.notes:
            hands.notes[name], hands.sequence = str(create_id()), 0
        wanted = [
            {"holder_id": str(hands.stage.project.organization_id), "currency": "CNY", "wanted_nano": str(wanted_nano)}
        ]
        await hands.report(name, wanted=wanted)

    return run


async def post(hands: Hands) -> None:
    """Hand in what a ticket pays for, twice, what no ticket does, what another call's ticket does not, and what is no record."""
    ticket_id = hands.notes["ticket of first"]
    one = hands.write_record("one", ticket_id=ticket_id)
    lines = [
        one,
        hands.write_record("two", ticket_id=ticket_id),
        one,
        hands.write_record("wallet's"),
        hands.write_record("suspense's", ticket_id=str(create_id())),
        b"no record",
    ]
    await hands.stage.ask("gateway", "POST", "/gateway/usage", b"\n".join(lines))


async def give_back(hands: Hands) -> None:
    await hands.report("first", tickets=word(hands, "first", 2 * CALL_NANO, 10_000), wanted=[])


async def end_life(hands: Hands) -> None:
    await hands.report("second", tickets=word(hands, "second", 0, 0), wanted=[], is_last=True)


def expire(noun: WorkNoun, after_s: int) -> Operation:
    async def run(hands: Hands) -> None:
        if noun not in hands.notes:
            hands.notes[noun] = "due"
            await hands.stage.clock.sleep(after_s)
        await hands.loop(noun)

    return run


async def post_late(hands: Hands) -> None:
    """Hand in a record whose ticket has ended, long after its call."""
    line = hands.lines["one"]
    late = hands.lines.setdefault("late", build_record(hands.stage, **read_admission(line)))
    await hands.stage.ask("gateway", "POST", "/gateway/usage", late + b"\n" + line)


def read_admission(line: bytes) -> dict[str, object]:
    """Return what makes a record one of the same moment and ticket as another one."""
    body = json.loads(line)
    own_id = body["record_id"][:14] + str(create_id())[14:]
    return {name: body[name] for name in ("admitted_at_ms", "day", "ticket_id")} | {"record_id": own_id}


async def give_credit(hands: Hands) -> None:
    body = {"amount_nano": "7000", "currency": "CNY", "kind": "credit_note", "note": "an hour of errors"}
    await hands.ask("admin", "POST", path_top_ups(hands), body)


async def wait_for_closing(hands: Hands) -> None:
    hands.stage.clock.instant, hands.stage.clock.elapsed_s = CLOSING_AT, 0.0


def ask_closing(holder: str) -> Operation:
    async def run(hands: Hands) -> None:
        body = {"period": "2026-11", "holder_id": str(hands.stage.ids[holder])}
        await hands.ask("admin", "POST", "/statements/close", body)

    return run


def close(holder: str) -> Operation:
    async def run(hands: Hands) -> None:
        await hands.loop(WorkNoun.CLOSING)
        listed = (await hands.stage.ask("admin", "GET", "/statements")).json()["items"]
        for line in listed:
            if (line["holder_id"], line["first_day"]) == (str(hands.stage.ids[holder]), "2026-11-01"):
                hands.notes[f"statement of {holder}"] = line["id"]

    return run


async def pay(hands: Hands) -> None:
    await hands.ask("admin", "POST", f"/statements/{hands.notes['statement of provider']}/payout", {})


async def dispute(hands: Hands) -> None:
    path = f"/statements/{hands.notes['statement of organization']}/disputes"
    hands.notes["dispute"] = str((await hands.ask("owner", "POST", path, {"reason": "too much"}))["id"])


async def uphold(hands: Hands) -> None:
    body = {"verdict": "upheld", "resolution": "so it was", "amount_nano": "5000"}
    await hands.ask("admin", "POST", f"/disputes/{hands.notes['dispute']}/resolve", body)


async def bound(hands: Hands) -> None:
    body = {"organization_id": str(hands.stage.ids["organization"]), "currency": "CNY", "amount_nano": "500000"}
    await hands.ask("owner", "POST", "/budgets", body | {"period": "lifetime"})


async def tax(hands: Hands) -> None:
    await hands.ask("admin", "POST", "/deductions", {"kind": "tax", "rate_ppm": 60_000})


async def withdraw(hands: Hands) -> None:
    await hands.ask("provider", "POST", f"/offers/{hands.stage.ids['offer']}/withdraw", None)


SCRIPT: dict[str, Operation] = {
    "limit one admin": limit_one_admin,
    "top up": fill,
    "propose": propose(5_000_000),
    "approve": decide(5_000_000, "approve"),
    "bound": bound,
    "tax": tax,
    "reserve": lease("first", 200_000),
    "post": post,
    "return": give_back,
    "reserve anew": lease("second", 100_000),
    "void": end_life,
    "reserve again": lease("third", 100_000),
    "withdraw": withdraw,
    "propose another": propose(6_000_000),
    "reject": decide(6_000_000, "reject"),
    "propose a third": propose(7_000_000),
    "expire": expire(WorkNoun.TICKET, TICKET_LEASE_S * 2 + TICKET_LATENESS_S),
    "expire proposed": expire(WorkNoun.TOP_UP, TOP_UP_PROPOSED_S),
    "post late": post_late,
    "credit note": give_credit,
    "wait": wait_for_closing,
    "ask to close customer": ask_closing("organization"),
    "close customer": close("organization"),
    "ask to close provider": ask_closing("provider"),
    "close provider": close("provider"),
    "pay": pay,
    "dispute": dispute,
    "uphold": uphold,
}


@asynccontextmanager
async def open_hands(stage: Stage) -> AsyncIterator[Hands]:
    """Open the same platform over storage that fails as told, with an organization that pays ahead and a second admin."""
    faults = Faults()
    control = replace(stage.control, storage=open_faulty(stage.storage, stage.clock, faults))
    app = create_app(ApiContext(control, SnapshotFeed(control), FleetWatch(control, {}), "0.1.0"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE_URL, timeout=30) as http:
        hands = Hands(replace(stage, control=control, app=app, http=http), faults)
        await drop_settlement(stage.storage)
        body = {"name": "second", "role": "platform_admin", "project_id": str(stage.project.id)}
        stage.secrets["second_admin"] = str((await hands.ask("admin", "POST", "/keys", body))["secret"])
        path = f"/organizations/{stage.project.organization_id}"
        await hands.ask("admin", "PATCH", path, {"billing": "prepaid"}, **{"if-match": '"1"'})
        yield hands


async def play(stage: Stage) -> dict[str, Books]:
    """Play the script without a fault, and return the books after each operation."""
    played: dict[str, Books] = {}
    async with open_hands(stage) as hands:
        for name, run in SCRIPT.items():
            await run(hands)
            played[name] = await read_books(stage.storage)
            await check_whole(stage.storage)
    return played


async def crash(hands: Hands, run: Operation, at: int, side: Side) -> bool:
    """Run an operation that crashes there, and tell whether it did."""
    hands.faults.arm(at, side)
    try:
        await run(hands)
    except Crash:
        return True
    finally:
        hands.faults.arm(None)
    return False


async def crash_everywhere(hands: Hands, run: Operation, end: Books) -> int:
    """Crash at every step of an operation, say it again, and return at how many places it crashed."""
    storage, count, at = hands.stage.storage, 0, 0
    before, books = await dump(storage), await read_books(storage)
    while True:
        at += 1
        for side in Side:
            if not await crash(hands, run, at, side):
                return count
            count += 1
            if await dump(storage) != before:
                # Only a commit changes what others see, and it is whole: what was to be done is done, or has only begun.
                assert hands.faults.trail == []
                assert side is Side.AFTER
                found = await read_books(storage)
                assert found in (books, end)
                await check_whole(storage)
                if found == end:
                    for _ in range(RETRIES_MAX):
                        await run(hands)
                    return count
                before = await dump(storage)


async def test_a_dump_sees_what_changed(any_stage: Stage) -> None:
    """What compares nothing finds no crash that left something behind."""
    storage = any_stage.storage
    before = await dump(storage)
    async with storage.read() as view:
        organizations = await view.organizations.list_all(PlatformScope())
    await execute_unguarded(storage, (), "UPDATE organization SET name = name || '!'")
    after = await dump(storage)
    assert len(after) == len(before)
    assert len(set(after) - set(before)) == len(organizations) > 0


async def test_every_crash_point_ends_in_the_same_place(
    any_stage: Stage, stage_template: tuple[Stage, Path], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    folder = tmp_path / "reference"
    folder.mkdir()
    async with copy_stage(*stage_template, folder / "keisan.db") as reference:
        played = await play(reference)
    counts: dict[str, int] = {}
    async with open_hands(any_stage) as hands:
        for name, run in SCRIPT.items():
            counts[name] = await crash_everywhere(hands, run, played[name])
            assert await read_books(any_stage.storage) == played[name], name
            await check_whole(any_stage.storage)
    assert sum(counts.values()) > 10 * len(SCRIPT)
    record_property("crashes", counts)
