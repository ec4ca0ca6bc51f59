"""Commands on machine identities (R11): create a one-time join token, join with it, revoke."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from keisan.control.context import Control, name_actor
from keisan.domain.access import MachineKind, PlatformScope, Principal, Right
from keisan.domain.errors import InvalidInput, PermissionDenied, StateConflict, Unauthenticated
from keisan.domain.event import EventDraft
from keisan.domain.ids import JoinTokenId, MachineId, SiteId
from keisan.domain.key import JOIN_TOKEN_PREFIX, Secret, create_secret, digest_secret
from keisan.domain.limits import SNAPSHOT_WAIT_S_MAX
from keisan.domain.machine import JoinToken, Machine
from keisan.kit.ids import create_id
from keisan.storage.base import Transaction
from keisan.wire.machine import JoinTokenCreate, MachineJoin

# A gateway speaks at least once per wait; a second wait's time allows for one slow or lost exchange.
GATEWAY_SILENCE_S_MAX = 2 * SNAPSHOT_WAIT_S_MAX


@dataclass(frozen=True, slots=True)
class CreatedJoinToken:
    """A new join token and its secret, which nobody can read again."""

    token: JoinToken
    secret: Secret


async def create_join_token(control: Control, principal: Principal, body: JoinTokenCreate) -> CreatedJoinToken:
    """Create a one-time token: for a gateway by a key of the whole platform, for a site by whoever has it in scope.

    Raises PermissionDenied, InvalidInput when kind and site do not fit, NotFound for a site outside the scope.
    """
    principal.require(Right.WRITE_MACHINES)
    _check_kind(principal, body)
    secret = create_secret(JOIN_TOKEN_PREFIX)
    async with control.storage.write() as transaction:
        if body.site_id is not None:
            await transaction.sites.get(principal.scope, SiteId(body.site_id))
        token = build_join_token(control, body, digest_secret(secret))
        await insert_join_token(transaction, name_actor(principal), token)
    return CreatedJoinToken(token, secret)


async def join_machine(control: Control, body: MachineJoin) -> Machine:
    """Let a machine join; the same token with the same digest gives the same machine again.

    Raises Unauthenticated for an unknown or expired token or a revoked machine, StateConflict when another machine
    has used the token, or is the site's agent.
    """
    async with control.storage.write() as transaction:
        token = await transaction.join_tokens.find_by_digest(digest_secret(Secret(body.token)))
        if token is None:
            raise Unauthenticated("this join token is unknown")
        if token.used_by is not None:
            return await _find_joined(transaction, token.used_by, body.secret_digest)
        if token.expires_at <= control.clock.now():
            raise Unauthenticated("this join token has expired")
        machine = _build_machine(control, token, body)
        await transaction.machines.insert(machine)
        await transaction.join_tokens.use(token.id, machine.id)
        detail = {"kind": machine.kind.value, "name": machine.name, "join_token_id": str(token.id)}
        await transaction.events.append(EventDraft(f"machine:{machine.id}", "machine.joined", machine.id, detail))
        # After the event: its append locks the head until commit, so of two joins at once the second sees the first.
        await _check_alone(transaction, machine)
    return machine


async def revoke_machine(control: Control, principal: Principal, machine_id: MachineId) -> Machine:
    """Revoke a machine for good; a repeat changes nothing. Raises PermissionDenied or NotFound.

    A gateway knows the secrets of all doors, so with it they are replaced.
    """
    principal.require(Right.WRITE_MACHINES)
    async with control.storage.write() as transaction:
        stored = await transaction.machines.get(principal.scope, machine_id)
        if stored.revoked_at is not None:
            return stored
        revoked = replace(stored, revoked_at=control.clock.now(), version=stored.version + 1)
        await transaction.machines.update(revoked)
        draft = EventDraft(name_actor(principal), "machine.revoked", machine_id, {"name": revoked.name})
        await transaction.events.append(draft)
        if revoked.kind is MachineKind.GATEWAY:
            await transaction.doors.want_rotations(PlatformScope(), None)
    return revoked


def is_connected(machine: Machine, now: datetime) -> bool:
    """Tell whether a gateway has spoken lately."""
    return machine.seen_at is not None and (now - machine.seen_at).total_seconds() <= GATEWAY_SILENCE_S_MAX


def build_join_token(control: Control, body: JoinTokenCreate, digest: str) -> JoinToken:
    """Return a new token that is not stored yet."""
    now = control.clock.now()
    return JoinToken(
        id=JoinTokenId(create_id()),
        platform_id=control.platform_id,
        kind=body.kind,
        site_id=SiteId(body.site_id) if body.site_id is not None else None,
        digest=digest,
        created_at=now,
        expires_at=now + timedelta(seconds=body.life_s),
        used_by=None,
    )


async def insert_join_token(transaction: Transaction, actor: str, token: JoinToken) -> None:
    """Write a token and its event."""
    await transaction.join_tokens.insert(token)
    detail = {"kind": token.kind.value} | ({"site_id": str(token.site_id)} if token.site_id else {})
    await transaction.events.append(EventDraft(actor, "join_token.created", token.id, detail))


def _check_kind(principal: Principal, body: JoinTokenCreate) -> None:
    if (body.kind is MachineKind.SITE) != (body.site_id is not None):
        raise InvalidInput("a token for a site names its site, one for a gateway names none", "site_id")
    if body.kind is MachineKind.GATEWAY and principal.scope != PlatformScope():
        raise PermissionDenied("only a key of the whole platform may let a gateway join")


async def _check_alone(transaction: Transaction, machine: Machine) -> None:
    """Refuse a site its second agent: both would be ordered to run its replicas, and each unsay the other's reports."""
    if machine.site_id is None:
        return
    agents = await transaction.machines.list_kind(PlatformScope(), MachineKind.SITE)
    if any(agent.site_id == machine.site_id and agent.id != machine.id for agent in agents):
        raise StateConflict("this site has an agent; revoke it before another one joins in its place")


def _build_machine(control: Control, token: JoinToken, body: MachineJoin) -> Machine:
    return Machine(
        id=MachineId(create_id()),
        platform_id=control.platform_id,
        kind=token.kind,
        site_id=token.site_id,
        name=body.name,
        digest=body.secret_digest,
        acknowledged_version=0,
        seen_at=None,
        version=1,
        created_at=control.clock.now(),
        revoked_at=None,
    )


async def _find_joined(transaction: Transaction, machine_id: MachineId, digest: str) -> Machine:
    joined = await transaction.machines.get(PlatformScope(), machine_id)
    if joined.digest != digest:
        raise StateConflict("this join token was used by another machine")
    if joined.revoked_at is not None:
        raise Unauthenticated("this machine was revoked")
    return joined
