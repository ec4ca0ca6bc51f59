"""Admissions: an organization is admitted at another platform by home's signed register, and known there as a guest.

The register holds digests of keys, never keys, and is told anew when anything in it changes: a key that is not in it any more is
revoked there. What a guest may do is less than at home: its keys call and read, and its policy is narrowed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from keisan.control.context import Control, check_version, name_actor
from keisan.control.letter import build_draft, put_register
from keisan.control.platform_credit import send_word, tell_lease
from keisan.control.policy import settle_policy
from keisan.domain.access import OrganizationScope, PlatformScope, Principal, Right, Role
from keisan.domain.admission import Admission
from keisan.domain.errors import AlreadyExists, InvalidInput, LimitExceeded, StateConflict
from keisan.domain.event import EventDraft
from keisan.domain.ids import AdmissionId, KeyId, OrganizationId, PlatformId, ProjectId, parse_platform_id
from keisan.domain.key import Key
from keisan.domain.letter import Arrival, Letter, LetterKind
from keisan.domain.limits import ADMISSION_KEYS_MAX
from keisan.domain.organization import Billing, Organization
from keisan.domain.platform_ticket import CreditSide, PlatformTicketState
from keisan.domain.policy import Policy, parse_policy
from keisan.domain.project import Project
from keisan.domain.snapshot import SnapshotTable
from keisan.kit.ids import create_id
from keisan.ledger.platform_credit import lock_credit
from keisan.storage.base import Transaction
from keisan.wire.admission import AdmissionCreate
from keisan.wire.credit_letter import (
    AdmissionBody,
    AdmittedKeyBody,
    AdmittedProjectBody,
    name_admission,
    read_admission,
    read_admitted,
    read_limits,
    write_body,
    write_limits,
)

EVERYTHING = PlatformScope()
# Keys that run a platform, or may not call, stay at home: a guest's key calls and reads, and nothing else.
ADMITTED_ROLES = frozenset({Role.ORGANIZATION_ADMIN, Role.DEVELOPER})


@dataclass(frozen=True, slots=True)
class _Guest:
    """A guest as its home tells it, and as it is stored here."""

    told: AdmissionBody
    home_id: PlatformId
    owner: Organization | None
    projects: dict[ProjectId, Project]
    keys: dict[KeyId, Key]


async def admit_organization(control: Control, principal: Principal, body: AdmissionCreate) -> Admission:
    """Admit an organization at another platform, and tell that one.

    Raises PermissionDenied, NotFound, AlreadyExists where it is admitted already, InvalidInput for a policy that can never match
    or this platform itself, and for an organization that pays afterwards without a bound.
    """
    principal.require(Right.WRITE_ORGANIZATIONS)
    organization_id, counterparty_id = OrganizationId(body.organization_id), parse_platform_id(body.platform_id)
    if counterparty_id == control.platform_id:
        raise InvalidInput("this platform is the organization's home", "platform_id")
    async with control.storage.write() as transaction:
        owner = await transaction.organizations.get(principal.scope, organization_id)
        if owner.platform_id != control.platform_id:
            raise StateConflict("a guest is admitted by its own home alone")
        if owner.billing is Billing.POSTPAID and body.credit_nano_max is None:
            raise InvalidInput("an organization that pays afterwards needs a bound", "credit_nano_max")
        before = await transaction.admissions.find(EVERYTHING, organization_id, counterparty_id)
        if before is not None and before.ended_at is None:
            raise AlreadyExists("the organization is admitted there already")
        admission = Admission(
            id=AdmissionId(create_id()),
            platform_id=control.platform_id,
            organization_id=organization_id,
            counterparty_id=counterparty_id,
            currency=body.currency,
            policy=settle_policy(control, body.policy, (owner.policy,)),
            credit_nano_max=body.credit_nano_max,
            version=1,
            created_at=control.clock.now(),
        )
        await transaction.admissions.insert(admission)
        await _tell(transaction, control, admission, owner)
        await _note(transaction, name_actor(principal), "organization.admitted", admission)
    return admission


async def end_admission(control: Control, principal: Principal, admission_id: AdmissionId, version: int) -> Admission:
    """End an admission: its keys are revoked there, and its credit is asked back; what is out comes back by signed return alone.

    A repeat changes nothing. Raises PermissionDenied, NotFound or VersionMismatch.
    """
    principal.require(Right.WRITE_ORGANIZATIONS)
    async with control.storage.write() as transaction:
        stored = await transaction.admissions.get(principal.scope, admission_id)
        if stored.ended_at is not None:
            return stored
        check_version(stored.version, version)
        return await close_admission(transaction, control, stored, name_actor(principal))


async def close_admission(transaction: Transaction, control: Control, stored: Admission, actor: str) -> Admission:
    """End an admission that is in force, within a transaction."""
    organization_id, now = stored.organization_id, control.clock.now()
    ended = replace(stored, ended_at=now, version=stored.version + 1)
    credit = await lock_credit(transaction, organization_id, stored.currency, now)
    await transaction.admissions.update(ended)
    draft = build_draft(control, LetterKind.ADMISSION, b"", stored.counterparty_id)
    name = name_admission(organization_id, stored.counterparty_id)
    await put_register(transaction, control, replace(draft, name=name, is_deleted=True))
    for ticket in credit.tickets.values():
        named = (CreditSide.HOME, stored.counterparty_id, PlatformTicketState.OPEN)
        if (ticket.side, ticket.counterparty_id, ticket.state) == named:
            # It stays open here: what it holds is the other platform's to return.
            asked = replace(ticket, number=ticket.number + 1)
            await transaction.platform_tickets.update_many([asked])
            await tell_lease(transaction, control, asked, ticket.heard_at, is_asked_back=True)
    await _note(transaction, actor, "organization.admission_ended", ended)
    return ended


async def tell_admissions(transaction: Transaction, control: Control, organization_id: OrganizationId) -> None:
    """Tell the platforms where an organization is admitted what changed of it, its projects and keys; nothing where it is nowhere."""
    admissions = await transaction.admissions.list_in_force(EVERYTHING, organization_id)
    if admissions:
        owner = await transaction.organizations.get(EVERYTHING, organization_id)
        for admission in admissions:
            await _tell(transaction, control, admission, owner)


async def apply_admission(transaction: Transaction, control: Control, arrival: Arrival, letter: Letter) -> None:
    """Know an organization of another platform as a guest, with the keys that its home admits; or end that, by a tombstone.

    Everything is checked first: a letter that is refused has changed nothing. Raises InvalidInput or StateConflict.
    """
    if letter.audience != control.platform_id:
        raise InvalidInput("an admission is for the platform that its letter names", "audience")
    now = arrival.arrived_at
    if letter.is_deleted:
        await _end_guest(transaction, letter, now)
        return
    guest = await _load_guest(transaction, read_admission(letter.body), letter.author)
    _check_owners(guest, control.platform_id)
    await _check_digests(transaction, guest)
    owner = await _put_organization(transaction, guest, now)
    await _put_projects(transaction, guest, now)
    await _put_keys(transaction, guest, now)
    tickets = await transaction.platform_tickets.list_open(EVERYTHING, [owner.id])
    serving = [each for each in tickets if each.side is CreditSide.SERVING and each.currency == guest.told.currency]
    if not serving:
        await send_word(transaction, control, owner, guest.told.currency, None)


def join_policies(*texts: str) -> str:
    """Return the policy that holds if all of these do: every clause of each, once."""
    clauses = [clause for text in texts for clause in parse_policy(text).clauses]
    return str(Policy(tuple(dict.fromkeys(clauses))))


async def _tell(transaction: Transaction, control: Control, admission: Admission, owner: Organization) -> None:
    """Sign what another platform is told of an organization: keys with budgets of their own, or their project's, stay at home.

    What they spend elsewhere could not be bounded there, and is not allowed.
    """
    own = OrganizationScope(owner.id)
    budgeted = await transaction.budgets.list_budgeted(own)
    projects = [each for each in await transaction.projects.list_all(own) if each.id not in budgeted]
    known = {each.id for each in projects}
    keys = [
        each
        for each in await transaction.keys.list_in_force(own)
        if each.project_id in known and each.id not in budgeted and each.role in ADMITTED_ROLES
    ]
    if len(keys) > ADMISSION_KEYS_MAX:
        raise LimitExceeded(f"an admitted organization has at most {ADMISSION_KEYS_MAX} keys that may call elsewhere")
    body = AdmissionBody(
        organization_id=owner.id,
        name=owner.name,
        currency=admission.currency,
        time_zone=owner.time_zone,
        policy=join_policies(owner.policy, admission.policy),
        limits=write_limits(owner.limits),
        projects=tuple(
            AdmittedProjectBody(id=each.id, name=each.name, policy=each.policy, limits=write_limits(each.limits))
            for each in projects
        ),
        keys=tuple(
            AdmittedKeyBody(
                id=each.id,
                project_id=each.project_id,
                name=each.name,
                digest=each.digest,
                models=each.models,
                policy=each.policy,
                limits=write_limits(each.limits),
            )
            for each in keys
        ),
    )
    draft = build_draft(control, LetterKind.ADMISSION, write_body(body), admission.counterparty_id)
    name = name_admission(owner.id, admission.counterparty_id)
    await put_register(transaction, control, replace(draft, name=name))


async def _note(transaction: Transaction, actor: str, kind: str, admission: Admission) -> None:
    detail = {"platform_id": admission.counterparty_id, "currency": admission.currency, "policy": admission.policy}
    await transaction.events.append(EventDraft(actor, kind, admission.organization_id, detail))


async def _load_guest(transaction: Transaction, told: AdmissionBody, home_id: PlatformId) -> _Guest:
    owners = await transaction.organizations.list_by_ids(EVERYTHING, [OrganizationId(told.organization_id)])
    stored = OrganizationScope(OrganizationId(told.organization_id))
    project_ids = {ProjectId(each.id) for each in told.projects}
    key_ids = {KeyId(each.id) for each in told.keys}
    projects = [
        *await transaction.projects.list_by_ids(EVERYTHING, project_ids),
        *await transaction.projects.list_all(stored),
    ]
    keys = [
        *await transaction.keys.list_by_ids(EVERYTHING, key_ids),
        *await transaction.keys.list_in_force(stored),
    ]
    return _Guest(
        told,
        home_id,
        owners[0] if owners else None,
        {each.id: each for each in projects},
        {each.id: each for each in keys},
    )


def _check_owners(guest: _Guest, own_id: PlatformId) -> None:
    """Raise StateConflict for what is not that home's to tell: ids are its own, or those of nobody."""
    owner_id = guest.told.organization_id
    if guest.home_id == own_id or (guest.owner is not None and guest.owner.platform_id != guest.home_id):
        raise StateConflict("this organization is not the letter's author's")
    nouns: list[Project | Key] = [*guest.projects.values(), *guest.keys.values()]
    for noun in nouns:
        if noun.platform_id != guest.home_id or noun.organization_id != owner_id:
            raise StateConflict("a project or key of this admission is another organization's")


async def _check_digests(transaction: Transaction, guest: _Guest) -> None:
    """Raise StateConflict for a digest that is another key's here, or twice in the letter."""
    digests = [each.digest for each in guest.told.keys]
    if len(set(digests)) != len(digests):
        raise StateConflict("two keys of this admission have one digest")
    for told in guest.told.keys:
        stored = guest.keys.get(KeyId(told.id))
        if stored is not None and stored.digest != told.digest:
            raise StateConflict("a key's digest stays as it is")
        found = None if stored is not None else await transaction.keys.find_by_digest(told.digest)
        if found is not None:
            raise StateConflict("there is another key with such a digest here")


async def _put_organization(transaction: Transaction, guest: _Guest, now: datetime) -> Organization:
    told, owner_id = guest.told, OrganizationId(guest.told.organization_id)
    others = await transaction.organizations.list_all(EVERYTHING)
    taken = {each.name for each in others if each.platform_id == guest.home_id and each.id != owner_id}
    name, limits = _choose_name(told.name, taken, str(owner_id)), read_limits(told.limits)
    # Prepaid, so that its calls need credit: here it has none but what its home leases.
    before = guest.owner or Organization(
        owner_id, guest.home_id, name, Billing.PREPAID, None, told.time_zone, limits, told.policy, 0, now
    )
    after = replace(before, name=name, time_zone=told.time_zone, limits=limits, policy=str(parse_policy(told.policy)))
    if guest.owner is None:
        after = replace(after, version=1)
        await transaction.organizations.insert(after)
    elif after != before:
        after = replace(after, version=before.version + 1)
        await transaction.organizations.update(after)
    if after != guest.owner:
        await transaction.snapshot.touch(SnapshotTable.ORGANIZATIONS, [owner_id])
    return after


async def _put_projects(transaction: Transaction, guest: _Guest, now: datetime) -> None:
    owner_id, touched, taken = OrganizationId(guest.told.organization_id), list[ProjectId](), set[str]()
    for told in guest.told.projects:
        project_id = ProjectId(told.id)
        stored, name = guest.projects.get(project_id), _choose_name(told.name, taken, str(told.id))
        taken.add(name)
        before = stored or Project(
            project_id, guest.home_id, owner_id, name, read_limits(told.limits), told.policy, 0, now
        )
        after = replace(before, name=name, limits=read_limits(told.limits), policy=str(parse_policy(told.policy)))
        if stored is None:
            await transaction.projects.insert(replace(after, version=1))
        elif after != stored:
            await transaction.projects.update(replace(after, version=stored.version + 1))
        if after != stored:
            touched.append(project_id)
    if touched:
        await transaction.snapshot.touch(SnapshotTable.PROJECTS, touched)


async def _put_keys(transaction: Transaction, guest: _Guest, now: datetime) -> None:
    touched = list[KeyId]()
    admitted = {KeyId(told.id) for told in guest.told.keys}
    for told in guest.told.keys:
        stored = guest.keys.get(KeyId(told.id))
        before = stored or _build_key(guest, told, now)
        policy = str(parse_policy(told.policy))
        after = replace(before, name=told.name, models=told.models, limits=read_limits(told.limits), policy=policy)
        after = replace(after, revoked_at=None)
        if stored is None:
            await transaction.keys.insert(replace(after, version=1))
        elif after != stored:
            await transaction.keys.update(replace(after, version=stored.version + 1))
        if after != stored:
            touched.append(after.id)
    touched += await _revoke(transaction, [each for each in guest.keys.values() if each.id not in admitted], now)
    if touched:
        await transaction.snapshot.touch(SnapshotTable.KEYS, touched)


def _build_key(guest: _Guest, told: AdmittedKeyBody, now: datetime) -> Key:
    """Return a guest's key, which calls and reads whatever it may at home."""
    return Key(
        id=KeyId(told.id),
        platform_id=guest.home_id,
        organization_id=OrganizationId(guest.told.organization_id),
        project_id=ProjectId(told.project_id),
        provider_id=None,
        name=told.name,
        role=Role.DEVELOPER,
        digest=told.digest,
        models=told.models,
        limits=read_limits(told.limits),
        policy=told.policy,
        version=0,
        created_at=now,
        revoked_at=None,
    )


async def _end_guest(transaction: Transaction, letter: Letter, now: datetime) -> None:
    """Revoke a guest's keys by its home's signed tombstone; its credit goes back by its own way."""
    owner_id = read_admitted(letter.name)
    keys = await transaction.keys.list_in_force(OrganizationScope(owner_id))
    revoked = await _revoke(transaction, [each for each in keys if each.platform_id == letter.author], now)
    if revoked:
        await transaction.snapshot.touch(SnapshotTable.KEYS, revoked)


async def _revoke(transaction: Transaction, keys: Sequence[Key], now: datetime) -> list[KeyId]:
    ended = [each for each in keys if each.revoked_at is None]
    for each in ended:
        await transaction.keys.update(replace(each, revoked_at=now, version=each.version + 1))
    return [each.id for each in ended]


def _choose_name(name: str, taken: Iterable[str], fallback: str) -> str:
    return f"{name} {fallback}" if name in set(taken) else name
