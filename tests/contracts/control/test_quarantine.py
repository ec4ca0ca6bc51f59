"""Judgements of refused records on both databases: each once, posted by intake's own rules, and nothing is deleted."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from keisan.control.quarantine import JudgedQuarantine, judge_quarantine
from keisan.domain.access import MachineKind, Role
from keisan.domain.errors import NotFound, PermissionDenied
from keisan.domain.ids import MachineId, QuarantineId
from keisan.domain.machine import Machine
from keisan.domain.page import PageRequest
from keisan.domain.quarantine import (
    QuarantinedRecord,
    QuarantineOutcome,
    QuarantineState,
    QuarantineVerdict,
)
from keisan.kit.clock import to_milliseconds
from keisan.kit.ids import create_id
from keisan.ledger.audit import audit_ledger
from keisan.ledger.intake import accept_usage
from keisan.storage.database import Database
from keisan.wire.quarantine import QuarantineJudge
from tests.domain.samples import create_record_id
from tests.factories import NOW, FixedClock, create_machine
from tests.settlement import EVERYTHING, Settlement, create_principal, open_settlement

COST_NANO = 30_500
ACCEPT, DISCARD = QuarantineVerdict.ACCEPT, QuarantineVerdict.DISCARD
ALL = PageRequest(limit=500)


@pytest.fixture
async def settlement(storage: Database, clock: FixedClock) -> Settlement:
    opened = await open_settlement(storage, clock)
    async with storage.write() as transaction:
        await opened.ledger.journal.write_opening(transaction)
    return opened


async def join(settlement: Settlement, kind: MachineKind = MachineKind.GATEWAY) -> Machine:
    """Join a machine more, beside the gateway that was there, which nobody revokes."""
    machine = replace(create_machine(), kind=kind)
    async with settlement.control.storage.write() as transaction:
        await transaction.machines.insert(machine)
    return machine


async def refuse(settlement: Settlement, gateway_id: MachineId | None = None, **changes: object) -> QuarantinedRecord:
    """Hand in a record that is refused, and return what is kept of it."""
    line = settlement.ledger.write_record(create_record_id(NOW), **changes)
    return await hand_in(settlement, gateway_id or settlement.world.gateway.id, line)


async def hand_in(settlement: Settlement, gateway_id: MachineId, line: bytes) -> QuarantinedRecord:
    await accept_usage(settlement.control.storage, settlement.ledger.journal, gateway_id, [line])
    return await find(settlement, line)


async def find(settlement: Settlement, line: bytes) -> QuarantinedRecord:
    async with settlement.control.storage.read() as view:
        [found] = [each for each in (await view.quarantine.list(EVERYTHING, ALL)).items if each.text == line]
    return found


async def judge(settlement: Settlement, found: QuarantinedRecord, verdict: QuarantineVerdict) -> JudgedQuarantine:
    body = QuarantineJudge(verdict=verdict, note="as seen")
    return await judge_quarantine(settlement.control, settlement.admin, found.id, body)


async def read_wallet(settlement: Settlement) -> int:
    return (await settlement.ledger.read_balances()).get(settlement.world.left.organization.id, 0)


async def check_whole(settlement: Settlement) -> None:
    async with settlement.control.storage.read() as view:
        difference = (await audit_ledger(view, lambda _: None)).difference
    assert difference is None, difference
    assert set((await settlement.ledger.sum_balances()).values()) <= {0}


async def test_record_of_a_gateway_that_joined_anew_is_posted_once(settlement: Settlement) -> None:
    anew = await join(settlement)
    found = await refuse(settlement, anew.id)
    assert (found.code, found.gateway_id, found.state) == ("wrong_gateway", anew.id, QuarantineState.QUARANTINED)
    judged = await judge(settlement, found, ACCEPT)
    own = judged.quarantined
    assert (judged.outcome, judged.code) == (QuarantineOutcome.ACCEPTED, "")
    assert (own.state, own.note, own.judged_by) == (QuarantineState.ACCEPTED, "as seen", settlement.admin.id)
    assert (own.text, own.digest, own.code) == (found.text, found.digest, found.code)
    assert await read_wallet(settlement) == -COST_NANO
    for verdict in (ACCEPT, DISCARD):
        assert (await judge(settlement, found, verdict)).outcome is QuarantineOutcome.ALREADY_JUDGED
    # What its spool hands in again is no new claim.
    (answer,) = await accept_usage(settlement.control.storage, settlement.ledger.journal, anew.id, [found.text])
    assert answer.outcome == "exists"
    assert await find(settlement, found.text) == own
    assert await settlement.ledger.count_quarantined() == 0
    async with settlement.control.storage.read() as view:
        [event] = [each for each in await view.events.list(EVERYTHING, 0, 500) if each.action == "quarantine.accepted"]
    assert (event.noun_id, event.detail["digest"]) == (found.id, found.digest)
    assert await read_wallet(settlement) == -COST_NANO
    await check_whole(settlement)


async def test_record_that_was_posted_meanwhile_is_posted_no_second_time(settlement: Settlement) -> None:
    anew = await join(settlement)
    found = await refuse(settlement, anew.id)
    (answer,) = await settlement.ledger.hand_in(found.text)
    assert answer.outcome == "created"
    assert (await judge(settlement, found, ACCEPT)).outcome is QuarantineOutcome.EXISTS
    assert (await find(settlement, found.text)).state is QuarantineState.ACCEPTED
    assert await read_wallet(settlement) == -COST_NANO


@pytest.mark.parametrize("writer", ["nobody", "site"])
async def test_name_of_no_gateway_is_refused_still(settlement: Settlement, writer: str) -> None:
    site = await join(settlement, MachineKind.SITE)
    named_id = site.id if writer == "site" else create_id()
    line = settlement.ledger.write_record(create_record_id(NOW), gateway_id=str(named_id))
    found = await hand_in(settlement, settlement.world.gateway.id, line)
    judged = await judge(settlement, found, ACCEPT)
    assert (judged.outcome, judged.code) == (QuarantineOutcome.REFUSED, "wrong_gateway")
    assert (await find(settlement, found.text)) == found
    assert (await judge(settlement, found, DISCARD)).outcome is QuarantineOutcome.DISCARDED


NEVER: dict[str, dict[str, Any]] = {
    "malformed": {"schema_version": 2},
    "wrong_platform": {"platform_id": "cd" * 32},
    "wrong_day": {"day": (NOW + timedelta(days=1)).date().isoformat()},
    "amount_mismatch": {"amount_nano": "1"},
}


@pytest.mark.parametrize(("code", "changes"), NEVER.items(), ids=NEVER)
async def test_what_is_wrong_in_itself_is_only_discarded(
    settlement: Settlement, code: str, changes: dict[str, Any]
) -> None:
    found = await refuse(settlement, **changes)
    assert found.code == code
    judged = await judge(settlement, found, ACCEPT)
    assert (judged.outcome, judged.code) == (QuarantineOutcome.NEVER_ACCEPTABLE, code)
    assert await find(settlement, found.text) == found
    assert (await judge(settlement, found, DISCARD)).outcome is QuarantineOutcome.DISCARDED
    # Its bytes stay, and come back to where they are.
    assert (await hand_in(settlement, settlement.world.gateway.id, found.text)).state is QuarantineState.DISCARDED
    assert await settlement.ledger.count_quarantined() == 0
    assert await read_wallet(settlement) == 0


async def test_other_bytes_of_a_posted_record_are_never_accepted(settlement: Settlement) -> None:
    record_id = create_record_id(NOW)
    await settlement.ledger.hand_in(settlement.ledger.write_record(record_id))
    other = settlement.ledger.write_record(record_id, event_count=9)
    found = await hand_in(settlement, settlement.world.gateway.id, other)
    assert found.code == "differs"
    assert (await judge(settlement, found, ACCEPT)).outcome is QuarantineOutcome.NEVER_ACCEPTABLE
    # Nor if they came first, by a gateway that nobody knew to be this one.
    anew = await join(settlement)
    first = await refuse(settlement, anew.id)
    replaced = first.text.replace(b"{", b"{ ", 1)
    await settlement.ledger.hand_in(replaced)
    judged = await judge(settlement, first, ACCEPT)
    assert (judged.outcome, judged.code) == (QuarantineOutcome.NEVER_ACCEPTABLE, "differs")
    assert await read_wallet(settlement) == -2 * COST_NANO
    await check_whole(settlement)


async def test_what_the_platform_did_not_know_then_is_held_against_the_rules_of_now(settlement: Settlement) -> None:
    ahead = NOW + timedelta(hours=2)
    line = settlement.ledger.write_record(
        create_record_id(ahead), admitted_at_ms=to_milliseconds(ahead), day=ahead.date().isoformat()
    )
    found = await hand_in(settlement, settlement.world.gateway.id, line)
    assert (await judge(settlement, found, ACCEPT)).outcome is QuarantineOutcome.REFUSED
    settlement.clock.instant = ahead
    assert (await judge(settlement, found, ACCEPT)).outcome is QuarantineOutcome.ACCEPTED
    assert await read_wallet(settlement) == -COST_NANO


async def test_what_comes_late_is_paid_by_suspense(settlement: Settlement) -> None:
    anew = await join(settlement)
    found = await refuse(settlement, anew.id)
    settlement.clock.instant = NOW + timedelta(days=8)
    judged = await judge(settlement, found, ACCEPT)
    assert (judged.outcome, judged.code) == (QuarantineOutcome.ACCEPTED, "late")
    assert await read_wallet(settlement) == 0
    async with settlement.control.storage.read() as view:
        [suspended] = (await view.suspense.list(EVERYTHING, ALL)).items
    assert suspended.amount_nano == COST_NANO
    await check_whole(settlement)


async def test_two_admins_at_once_judge_once(settlement: Settlement) -> None:
    anew = await join(settlement)
    found = await refuse(settlement, anew.id)
    async with asyncio.TaskGroup() as group:
        tries = [group.create_task(judge(settlement, found, (ACCEPT, DISCARD)[number % 2])) for number in range(6)]
    outcomes = Counter(each.result().outcome for each in tries)
    assert outcomes.pop(QuarantineOutcome.ALREADY_JUDGED) == 5
    [outcome] = outcomes
    posted_count = int(outcome is QuarantineOutcome.ACCEPTED)
    assert await read_wallet(settlement) == -posted_count * COST_NANO
    await check_whole(settlement)


@pytest.mark.parametrize("seed", range(3))
async def test_each_is_posted_once_in_any_order(settlement: Settlement, seed: int) -> None:
    random, anew = Random(seed), await join(settlement)
    found = [await refuse(settlement, anew.id) for _ in range(4)]
    posted: set[QuarantineId] = set()
    judged: dict[QuarantineId, QuarantineState] = {}
    for _ in range(30):
        chosen = random.choice(found)
        if random.random() < 0.3:
            await settlement.ledger.hand_in(chosen.text)
            posted.add(chosen.id)
        else:
            verdict = random.choice((ACCEPT, DISCARD))
            outcome = (await judge(settlement, chosen, verdict)).outcome
            if chosen.id in judged:
                assert outcome is QuarantineOutcome.ALREADY_JUDGED
            elif verdict is DISCARD:
                assert outcome is QuarantineOutcome.DISCARDED
                judged[chosen.id] = QuarantineState.DISCARDED
            else:
                expected = QuarantineOutcome.EXISTS if chosen.id in posted else QuarantineOutcome.ACCEPTED
                assert outcome is expected
                posted.add(chosen.id)
                judged[chosen.id] = QuarantineState.ACCEPTED
        assert await read_wallet(settlement) == -len(posted) * COST_NANO
        assert await settlement.ledger.count_quarantined() == len(found) - len(judged)
    async with settlement.control.storage.read() as view:
        kept = {each.id: each for each in (await view.quarantine.list(EVERYTHING, ALL)).items}
        waiting = (await view.quarantine.list(EVERYTHING, ALL, QuarantineState.QUARANTINED)).items
    assert {each.id: each.text for each in found} == {each.id: each.text for each in kept.values()}
    assert {each.id: each.state for each in kept.values() if each not in waiting} == judged
    await check_whole(settlement)


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.PROVIDER, Role.ORGANIZATION_ADMIN])
async def test_only_a_platforms_admin_judges(settlement: Settlement, role: Role) -> None:
    found = await refuse(settlement, amount_nano="1")
    principal = create_principal(role, None if role is Role.AUDITOR else settlement.world.left)
    with pytest.raises(PermissionDenied):
        await judge_quarantine(settlement.control, principal, found.id, QuarantineJudge(verdict=DISCARD))
    with pytest.raises(NotFound):
        await judge(settlement, replace(found, id=QuarantineId(create_id())), DISCARD)
    assert await find(settlement, found.text) == found
