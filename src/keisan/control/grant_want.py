"""Wants of this platform as a parent: what it asks of its children, what they answer, and what it runs on what was granted."""

from dataclasses import replace
from datetime import datetime

from keisan.control.context import CONTROL_ACTOR, Control, check_version, name_actor
from keisan.control.grant_letter import read_offset, tell_want
from keisan.domain.access import PlatformScope, Principal, Right
from keisan.domain.errors import InvalidInput, StateConflict
from keisan.domain.event import EventDraft
from keisan.domain.grant import GrantScope, GrantWant, GrantWork, WantState
from keisan.domain.ids import GrantWantId, ModelId, PlatformId
from keisan.domain.lease import WorkNoun
from keisan.domain.letter import Arrival, Letter
from keisan.federation.rule_grant import find_end_for_parent
from keisan.federation.rule_grant_want import (
    ask_again,
    end_want,
    find_renewal_due,
    must_say_anew,
    reckon_want,
    say_again,
    set_work,
    take_answer,
)
from keisan.kit.ids import create_id
from keisan.storage.base import Transaction
from keisan.wire.grant import GrantAsk, WorkUpdate, decode_answer

EVERYTHING = PlatformScope()


async def ask_grant(control: Control, principal: Principal, body: GrantAsk) -> GrantWant:
    """Ask a child for capacity; raises PermissionDenied, or InvalidInput for oneself."""
    principal.require(Right.WRITE_GRANTS)
    if body.child_id == control.platform_id:
        raise InvalidInput("expected another platform than this one", "child_id")
    async with control.storage.write() as transaction:
        child_id = PlatformId(body.child_id)
        others = await transaction.grant_wants.list_child(EVERYTHING, child_id)
        drafted = GrantWant(
            id=GrantWantId(create_id()),
            platform_id=control.platform_id,
            child_id=child_id,
            epoch=max((each.epoch for each in others), default=0),
            scope=GrantScope(body.chip, body.count, body.duration_s, body.on_expiry),
            renewal=0,
            sendings={},
            work=None,
            state=WantState.OPEN,
            answer=None,
            version=0,
            created_at=control.clock.now(),
        )
        want = ask_again(drafted, control.clock.now(), await read_offset(transaction, child_id))
        await transaction.grant_wants.insert(want)
        await _follow(transaction, control, want, "asked", name_actor(principal))
    return want


async def renew_want(control: Control, principal: Principal, want_id: GrantWantId) -> GrantWant:
    """Ask once more, before it is done by itself.

    Raises PermissionDenied, NotFound, StateConflict for one that has ended, LimitExceeded where the child does not answer.
    """
    principal.require(Right.WRITE_GRANTS)
    async with control.storage.write() as transaction:
        stored = await transaction.grant_wants.get(principal.scope, want_id)
        want = ask_again(stored, control.clock.now(), await read_offset(transaction, stored.child_id))
        await _write(transaction, control, want, "renewed", name_actor(principal))
    return want


async def end_grant_want(control: Control, principal: Principal, want_id: GrantWantId) -> GrantWant:
    """Want it no longer: the child stops what runs there, and takes its devices back. Raises as renew_want does."""
    principal.require(Right.WRITE_GRANTS)
    async with control.storage.write() as transaction:
        stored = await transaction.grant_wants.get(principal.scope, want_id)
        want = end_want(stored)
        await _write(transaction, control, want, "ended", name_actor(principal))
    return want


async def set_grant_work(
    control: Control, principal: Principal, want_id: GrantWantId, expected_version: int, body: WorkUpdate | None
) -> GrantWant:
    """Say what is to run on what was granted, None for nothing.

    Raises PermissionDenied, NotFound, VersionMismatch, InvalidInput for a model that does not run on the engine, and StateConflict for
    new work where nothing is granted now.
    """
    principal.require(Right.WRITE_GRANTS)
    async with control.storage.write() as transaction:
        stored = await transaction.grant_wants.get(principal.scope, want_id)
        check_version(stored.version, expected_version)
        work = None if body is None else await _build_work(transaction, principal, body)
        offset_ms = await read_offset(transaction, stored.child_id)
        want = set_work(stored, work, control.clock.now(), offset_ms)
        await _write(transaction, control, want, "work_changed", name_actor(principal))
    return want


async def apply_grant(transaction: Transaction, control: Control, arrival: Arrival, letter: Letter) -> None:
    """Take a child's answer to a want; the same answer again changes nothing.

    Raises InvalidInput for what is no grant, StateConflict for one of a lower epoch, or of a want that this child was never asked.
    """
    want_id, answer = decode_answer(letter.body, letter.version)
    wants = {each.id: each for each in await transaction.grant_wants.list_child(EVERYTHING, letter.author)}
    stored = wants.get(want_id)
    if stored is None:
        raise StateConflict("this child was not asked for such a grant")
    known_epoch = max(each.epoch for each in wants.values())
    want = take_answer(stored, answer, known_epoch)
    if want == stored:
        return
    if must_say_anew(want):
        want = replace(
            say_again(want, arrival.arrived_at, await read_offset(transaction, letter.author)), version=want.version
        )
    await _write(transaction, control, want, str(answer.state), CONTROL_ACTOR)


async def find_want_end(view: Transaction, want: GrantWant) -> datetime | None:
    """Return until when new work may begin on what was granted, None where nothing is."""
    reckoning = reckon_want(want, await read_offset(view, want.child_id))
    return None if reckoning is None or want.state is not WantState.OPEN else find_end_for_parent(reckoning)


async def renew_due_want(transaction: Transaction, control: Control, stored: GrantWant) -> GrantWant:
    """Ask once more because half of the time is over; raises as renew_want does."""
    want = ask_again(stored, control.clock.now(), await read_offset(transaction, stored.child_id))
    await _write(transaction, control, want, "renewed", CONTROL_ACTOR)
    return want


async def _build_work(transaction: Transaction, principal: Principal, body: WorkUpdate) -> GrantWork:
    model = await transaction.models.get(principal.scope, ModelId(body.model_id))
    facts = model.facts
    if body.engine not in facts.engines:
        raise InvalidInput(f"model '{facts.name}' runs on {', '.join(facts.engines)}, not on {body.engine}", "engine")
    return GrantWork(facts.name, facts.weights_sha256, body.engine, body.slots, body.replica_count)


async def _write(transaction: Transaction, control: Control, want: GrantWant, action: str, actor: str) -> None:
    await transaction.grant_wants.update(want)
    await _follow(transaction, control, want, action, actor)


async def _follow(transaction: Transaction, control: Control, want: GrantWant, action: str, actor: str) -> None:
    detail = {"child_id": want.child_id, "renewal": str(want.renewal)}
    await transaction.events.append(EventDraft(actor, f"grant_want.{action}", want.id, detail))
    due = find_renewal_due(want)
    if due is not None:
        await transaction.outbox.put(WorkNoun.GRANT_WANT, want.id, due)
    await tell_want(transaction, control, want)
