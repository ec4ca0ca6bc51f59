"""Grants of this platform as a child: it follows its parent's wants, and people approve, refuse and end what it grants."""

from dataclasses import replace
from datetime import datetime

from keisan.control.context import CONTROL_ACTOR, Control, check_version, name_actor
from keisan.control.fence import tell_epoch
from keisan.control.grant_letter import read_offset, tell_answer, tell_grant
from keisan.control.grant_work import follow_work
from keisan.control.link_place import load_neighbourhood
from keisan.control.reconcilers.candidate import load_places
from keisan.domain.access import PlatformScope, Principal, Right
from keisan.domain.device import DeviceUse
from keisan.domain.errors import StateConflict
from keisan.domain.event import EventDraft
from keisan.domain.grant import Grant, GrantState, GrantTerms, WantArrival
from keisan.domain.ids import GrantId, GrantWantId, PlatformId
from keisan.domain.lease import WorkNoun
from keisan.domain.letter import Arrival, Letter
from keisan.domain.link import LinkState
from keisan.domain.verdict import Verdict
from keisan.federation.grant_book import BookDevice, open_book
from keisan.federation.grant_desk import DeskOutcome, GrantDesk, build_answer, decide_proposal, follow_want
from keisan.federation.rule_grant import find_end_for_child, move_grant, reckon_grant
from keisan.kit.ids import create_id
from keisan.placement.candidate import Candidate
from keisan.storage.base import Transaction
from keisan.wire.grant import GrantEnd, GrantTermsUpdate, decode_want

EVERYTHING = PlatformScope()


async def apply_grant_want(transaction: Transaction, control: Control, arrival: Arrival, letter: Letter) -> None:
    """Follow a want of the parent, and answer it; the same want again changes nothing.

    Raises InvalidInput for what is no want, StateConflict before this platform has joined, or from another than who is next to it.
    """
    parent = (await load_neighbourhood(transaction)).parent
    if parent is None or letter.author != parent.neighbour_id or arrival.link_id != parent.id:
        raise StateConflict("only a parent may want capacity of its child")
    if parent.state is LinkState.LEAVING:
        raise StateConflict("this platform leaves its parent, and grants it nothing any more")
    word = decode_want(letter.body, letter.author)
    terms = await transaction.grant_terms.lock(control.platform_id)
    if terms is None:
        raise StateConflict("this platform grants nothing before it has joined")
    offset_ms = await read_offset(transaction, word.parent_id)
    desk = await _open_desk(transaction, control, terms, (word.parent_id, word.want_id))
    came = WantArrival(arrival.arrived_at, offset_ms)
    outcome = follow_want(desk, word, came, GrantId(create_id()))
    await _keep(transaction, control, desk, outcome)
    if outcome.refusal or outcome.grant is None:
        answer = build_answer(outcome, word, 0)
        await tell_answer(transaction, control, (word.parent_id, word.want_id), answer)


async def approve_grant(control: Control, principal: Principal, grant_id: GrantId) -> Grant:
    """Issue a proposed grant, beyond the policy.

    Raises PermissionDenied, NotFound, or StateConflict for one that is not proposed, whose time is over, or for too few free devices.
    """
    principal.require(Right.WRITE_GRANTS)
    async with control.storage.write() as transaction:
        terms, grant = await _lock(transaction, control, principal, grant_id)
        if grant.state is not GrantState.PROPOSED:
            raise StateConflict(f"the grant is {grant.state}")
        offset_ms = await read_offset(transaction, grant.parent_id)
        if control.clock.now() >= find_end_for_child(reckon_grant(grant, offset_ms)):
            raise StateConflict("its time is over: the parent must ask again first")
        desk = await _open_desk(transaction, control, terms, (grant.parent_id, grant.want_id))
        outcome = decide_proposal(desk, grant, is_approved=True)
        if outcome.grant is not None and outcome.grant.state is GrantState.REFUSED:
            raise StateConflict(outcome.grant.reason)
        return await _keep(transaction, control, desk, outcome, name_actor(principal)) or grant


async def refuse_grant(control: Control, principal: Principal, grant_id: GrantId, body: GrantEnd) -> Grant:
    """Refuse a proposed grant; raises as approve_grant does."""
    return await _end(control, principal, grant_id, (GrantState.REFUSED, body.reason))


async def end_grant(control: Control, principal: Principal, grant_id: GrantId, body: GrantEnd) -> Grant:
    """End a grant that is issued or held: its replicas are stopped, and its devices are free; raises as approve_grant does."""
    return await _end(control, principal, grant_id, (GrantState.RELEASED, body.reason))


async def update_terms(
    control: Control, principal: Principal, expected_version: int, body: GrantTermsUpdate
) -> GrantTerms:
    """Change up to how many devices are granted at once; raises PermissionDenied, VersionMismatch, or StateConflict before a join."""
    principal.require(Right.WRITE_GRANTS)
    async with control.storage.write() as transaction:
        terms = await transaction.grant_terms.lock(control.platform_id)
        if terms is None:
            raise StateConflict("this platform grants nothing before it has joined")
        check_version(terms.version, expected_version)
        changed = replace(terms, automatic_count=body.automatic_count, version=terms.version + 1)
        await transaction.grant_terms.update(changed)
        detail = {"automatic_count": str(body.automatic_count)}
        await transaction.events.append(EventDraft(name_actor(principal), "grant_terms.updated", None, detail))
    return changed


async def end_grants_of(transaction: Transaction, control: Control, parent_id: PlatformId, reason: str) -> int:
    """End all that a parent was granted, when this platform leaves it or moves, and return how many there were."""
    await transaction.grant_terms.lock(control.platform_id)
    live = await transaction.grants.list_live(EVERYTHING, parent_id)
    for grant in live:
        state = GrantState.REFUSED if grant.state is GrantState.PROPOSED else GrantState.RELEASED
        await write_grant(transaction, control, grant, move_grant(grant, state, reason))
    return len(live)


async def write_grant(
    transaction: Transaction, control: Control, before: Grant | None, after: Grant, actor: str = CONTROL_ACTOR
) -> Grant:
    """Write what became of a grant, with its event, what runs under it, when to look again, and the parent's letter."""
    if after == before:
        return after
    if before is None or before.id != after.id:
        await transaction.grants.insert(after)
    else:
        await transaction.grants.update(after)
    kept = await follow_work(transaction, control, after)
    if before is None or (before.id, before.state) != (after.id, after.state):
        detail = {"want_id": str(after.want_id), "number": str(after.number), "reason": after.reason}
        await transaction.events.append(EventDraft(actor, f"grant.{after.state}", after.id, detail))
    if kept.state is GrantState.ISSUED:
        offset_ms = await read_offset(transaction, kept.parent_id)
        await transaction.outbox.put(WorkNoun.GRANT, kept.id, find_end_for_child(reckon_grant(kept, offset_ms)))
    await tell_grant(transaction, control, kept)
    return kept


async def find_grant_end(view: Transaction, grant: Grant) -> datetime | None:
    """Return when a grant ends here, None for one that is not issued."""
    if grant.state is not GrantState.ISSUED:
        return None
    return find_end_for_child(reckon_grant(grant, await read_offset(view, grant.parent_id)))


async def _end(control: Control, principal: Principal, grant_id: GrantId, end: tuple[GrantState, str]) -> Grant:
    principal.require(Right.WRITE_GRANTS)
    async with control.storage.write() as transaction:
        _, grant = await _lock(transaction, control, principal, grant_id)
        if grant.state is end[0]:
            raise StateConflict(f"the grant is {grant.state}")
        return await write_grant(transaction, control, grant, move_grant(grant, *end), name_actor(principal))


async def _lock(
    transaction: Transaction, control: Control, principal: Principal, grant_id: GrantId
) -> tuple[GrantTerms, Grant]:
    terms = await transaction.grant_terms.lock(control.platform_id)
    grant = await transaction.grants.get(principal.scope, grant_id)
    assert terms is not None
    return terms, grant


async def _open_desk(
    transaction: Transaction, control: Control, terms: GrantTerms, asked: tuple[PlatformId, GrantWantId]
) -> GrantDesk:
    holding = tuple(await transaction.grants.list_holding(EVERYTHING))
    places = await load_places(transaction)
    book = open_book((build_book_device(candidate) for candidate in places.candidates), holding)
    last = await transaction.grants.find_last(EVERYTHING, *asked)
    return GrantDesk(control.platform_id, terms, holding, book, last)


def build_book_device(candidate: Candidate) -> BookDevice:
    """Return a device as the grant book sees it: only one that placement could use now is granted."""
    is_usable = (
        candidate.site_verdict is Verdict.OK
        and candidate.device_verdict is Verdict.OK
        and candidate.device_use is DeviceUse.OPEN
        and not candidate.is_remote
    )
    return BookDevice(candidate.device_id, candidate.chip, is_usable=is_usable, is_busy=candidate.replica_count > 0)


async def _keep(
    transaction: Transaction, control: Control, desk: GrantDesk, outcome: DeskOutcome, actor: str = CONTROL_ACTOR
) -> Grant | None:
    if outcome.terms != desk.terms:
        await transaction.grant_terms.update(outcome.terms)
    if outcome.terms.epoch != desk.terms.epoch:
        await tell_epoch(transaction, outcome.terms.epoch, "its parent has heard of a later one")
    if outcome.refusal or outcome.grant is None:
        return outcome.grant
    return await write_grant(transaction, control, desk.last, outcome.grant, actor)
