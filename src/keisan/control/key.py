"""Commands on keys: create, update, revoke. Nobody makes, changes or revokes a key that is wider than their own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from keisan.control.admission import tell_admissions
from keisan.control.audit import describe_changes
from keisan.control.context import Control, check_own, check_version, name_actor
from keisan.control.policy import settle_policy
from keisan.domain.access import (
    RIGHTS_BY_ROLE,
    PlatformScope,
    Principal,
    Right,
    Role,
    choose_scope,
)
from keisan.domain.call_limits import CallLimits
from keisan.domain.errors import InvalidInput, PermissionDenied, StateConflict
from keisan.domain.event import EventDraft
from keisan.domain.ids import KeyId, OrganizationId, ProjectId, ProviderId
from keisan.domain.key import Key, Secret, create_home_secret, digest_secret
from keisan.domain.policy import parse_policy
from keisan.domain.project import Project
from keisan.domain.snapshot import SnapshotTable
from keisan.kit.ids import create_id
from keisan.storage.base import Transaction
from keisan.wire.call_limits import change_limits
from keisan.wire.key import KeyCreate, KeyUpdate


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A new key and its secret, which nobody can read again; gateways know it from `snapshot_version` on."""

    key: Key
    secret: Secret
    snapshot_version: int


@dataclass(frozen=True, slots=True)
class RevokedKey:
    """A revoked key; gateways that serve `snapshot_version` refuse it."""

    key: Key
    snapshot_version: int


async def create_key(control: Control, principal: Principal, body: KeyCreate) -> CreatedKey:
    """Create a key in a project.

    Raises PermissionDenied (also for a key wider than the asker's own), NotFound when the project or the provider lies
    outside the asker's scope, InvalidInput when a model does not exist, the policy can never match, or a provider key
    names no provider.
    """
    principal.require(Right.WRITE_KEYS)
    secret = create_home_secret(control.platform_id)
    async with control.storage.write() as transaction:
        project = await transaction.projects.get(principal.scope, ProjectId(body.project_id))
        check_own(control, project.platform_id)
        provider_id = await _check_provider(transaction, principal, body)
        _check_not_wider(principal, body.role, project.organization_id, provider_id)
        own = await transaction.keys.get(principal.scope, KeyId(principal.id))
        models = await _check_models(transaction, principal, body.models, own)
        organization = await transaction.organizations.get(principal.scope, project.organization_id)
        policy = settle_policy(control, body.policy, (organization.policy, project.policy))
        checked = body.model_copy(update={"models": models, "policy": policy})
        key = build_key(control, project, checked, digest_secret(secret))
        _check_bounds(principal, own, key)
        snapshot_version = await insert_key(transaction, name_actor(principal), key)
        await tell_admissions(transaction, control, key.organization_id)
    return CreatedKey(key, secret, snapshot_version)


async def update_key(
    control: Control, principal: Principal, key_id: KeyId, expected_version: int, body: KeyUpdate
) -> Key:
    """Change the bounds and the policy of a key.

    Raises PermissionDenied (also for a key wider than the asker's own), NotFound, VersionMismatch, InvalidInput for a
    policy that can never match, or StateConflict when the key is revoked.
    """
    principal.require(Right.WRITE_KEYS)
    async with control.storage.write() as transaction:
        stored = await transaction.keys.get(principal.scope, key_id)
        check_version(stored.version, expected_version)
        check_own(control, stored.platform_id)
        _check_not_wider(principal, stored.role, stored.organization_id, stored.provider_id)
        if stored.revoked_at is not None:
            raise StateConflict("the key is revoked")
        policy = stored.policy
        if "policy" in body.model_fields_set:
            organization = await transaction.organizations.get(principal.scope, stored.organization_id)
            project = await transaction.projects.get(principal.scope, stored.project_id)
            policy = settle_policy(control, body.policy, (organization.policy, project.policy))
        limits = change_limits(stored.limits, body.limits)
        updated = replace(stored, limits=limits, policy=policy, version=stored.version + 1)
        own = await transaction.keys.get(principal.scope, KeyId(principal.id))
        _check_bounds(principal, own, updated)
        await transaction.keys.update(updated)
        detail = describe_changes(stored, updated)
        await transaction.events.append(EventDraft(name_actor(principal), "key.updated", key_id, detail))
        await transaction.snapshot.touch(SnapshotTable.KEYS, [key_id])
        await tell_admissions(transaction, control, updated.organization_id)
    return updated


async def revoke_key(control: Control, principal: Principal, key_id: KeyId) -> RevokedKey:
    """Revoke a key for good; a repeat changes nothing. Raises PermissionDenied or NotFound."""
    principal.require(Right.WRITE_KEYS)
    async with control.storage.write() as transaction:
        stored = await transaction.keys.get(principal.scope, key_id)
        _check_not_wider(principal, stored.role, stored.organization_id, stored.provider_id)
        if stored.revoked_at is not None:
            return RevokedKey(stored, (await transaction.snapshot.get_mark()).version)
        revoked = await end_key(transaction, name_actor(principal), stored, control.clock.now())
        await tell_admissions(transaction, control, stored.organization_id)
    return revoked


def build_key(control: Control, project: Project, body: KeyCreate, digest: str) -> Key:
    """Return a new key that is not stored yet."""
    return Key(
        id=KeyId(create_id()),
        platform_id=control.platform_id,
        organization_id=project.organization_id,
        project_id=project.id,
        provider_id=ProviderId(body.provider_id) if body.provider_id is not None else None,
        name=body.name,
        role=body.role,
        digest=digest,
        models=body.models,
        limits=change_limits(CallLimits(), body.limits),
        policy=body.policy,
        version=1,
        created_at=control.clock.now(),
        revoked_at=None,
    )


async def insert_key(transaction: Transaction, actor: str, key: Key) -> int:
    """Write a key and its event, and return the snapshot version that carries it."""
    await transaction.keys.insert(key)
    detail = {"name": key.name, "role": key.role.value, "project_id": str(key.project_id)}
    await transaction.events.append(EventDraft(actor, "key.created", key.id, detail))
    return await transaction.snapshot.touch(SnapshotTable.KEYS, [key.id])


async def end_key(transaction: Transaction, actor: str, stored: Key, now: datetime) -> RevokedKey:
    """Revoke a key that is in force, with its event."""
    revoked = replace(stored, revoked_at=now, version=stored.version + 1)
    await transaction.keys.update(revoked)
    await transaction.events.append(EventDraft(actor, "key.revoked", stored.id, {"name": revoked.name}))
    return RevokedKey(revoked, await transaction.snapshot.touch(SnapshotTable.KEYS, [stored.id]))


async def _check_provider(transaction: Transaction, principal: Principal, body: KeyCreate) -> ProviderId | None:
    if (body.role is Role.PROVIDER) != (body.provider_id is not None):
        raise InvalidInput("a provider key names its provider, any other names none", "provider_id")
    if body.provider_id is None:
        return None
    return (await transaction.providers.get(principal.scope, ProviderId(body.provider_id))).id


def _check_not_wider(
    principal: Principal, role: Role, organization_id: OrganizationId, provider_id: ProviderId | None
) -> None:
    is_within_rights = RIGHTS_BY_ROLE[role] <= principal.rights
    is_within_scope = principal.scope in (PlatformScope(), choose_scope(role, organization_id, provider_id))
    if not (is_within_rights and is_within_scope):
        raise PermissionDenied(f"a key with the role '{role}' reaches further than yours")


def _check_bounds(principal: Principal, own: Key, key: Key) -> None:
    """Refuse a key that is free of a bound, or of a clause of a policy, that the asker's own key is under.

    Those of the platform set what binds others, and nobody else could free them.
    """
    if principal.scope == PlatformScope():
        return
    bound = key.limits.find_wider(own.limits)
    if bound is not None:
        raise PermissionDenied(f"your key has a lower {bound}, so this key reaches further")
    missing = set(parse_policy(own.policy).clauses) - set(parse_policy(key.policy).clauses)
    if missing:
        clauses = "; ".join(sorted(str(clause) for clause in missing))
        raise PermissionDenied(f"your key's policy has '{clauses}', and a key without reaches further")


async def _check_models(
    transaction: Transaction, principal: Principal, names: Sequence[str] | None, own: Key
) -> tuple[str, ...] | None:
    """Return the names, each once; they must exist, and lie within what the asker's own key may call."""
    if names is None:
        if own.models is not None:
            raise PermissionDenied("your key may call some models only, so a key for all models reaches further")
        return None
    for position, name in enumerate(names):
        if await transaction.models.find_by_name(principal.scope, name) is None:
            raise InvalidInput(f"there is no model '{name}'", f"models[{position}]")
        if own.models is not None and name not in own.models:
            raise PermissionDenied(f"your key may not call the model '{name}'")
    return tuple(dict.fromkeys(names))
