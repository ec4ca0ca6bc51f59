"""Commands on organizations: create, update. A change is in the snapshot, so that gateways act on it."""

from dataclasses import replace

from keisan.control.admission import tell_admissions
from keisan.control.audit import describe_changes
from keisan.control.context import Control, check_own, check_version, name_actor
from keisan.control.policy import note_conflicts, settle_policy
from keisan.domain.access import Principal, Right
from keisan.domain.call_limits import CallLimits
from keisan.domain.event import EventDraft
from keisan.domain.ids import OrganizationId
from keisan.domain.organization import Organization
from keisan.domain.snapshot import SnapshotTable
from keisan.kit.ids import create_id
from keisan.storage.base import Transaction
from keisan.wire.base import change_amounts
from keisan.wire.call_limits import change_limits
from keisan.wire.organization import OrganizationCreate, OrganizationUpdate

# What an organization's own admin may set; gateways do not hear of it.
OWN_FIELDS = frozenset({"wallet_low_nano"})


async def create_organization(control: Control, principal: Principal, body: OrganizationCreate) -> Organization:
    """Create an organization.

    Raises PermissionDenied, AlreadyExists when the name is taken, InvalidInput for a policy that can never match.
    """
    principal.require(Right.WRITE_ORGANIZATIONS)
    settled = body.model_copy(update={"policy": settle_policy(control, body.policy, ())})
    organization = build_organization(control, settled)
    async with control.storage.write() as transaction:
        await insert_organization(transaction, name_actor(principal), organization)
    return organization


async def update_organization(
    control: Control,
    principal: Principal,
    organization_id: OrganizationId,
    expected_version: int,
    body: OrganizationUpdate,
) -> Organization:
    """Change an organization; what is below it may lose all matches by a new policy, and an event says so.

    An organization's own admin may set below which balances it wants to be told. Raises PermissionDenied, NotFound,
    VersionMismatch, AlreadyExists, or InvalidInput for a policy that can never match.
    """
    is_own = body.model_fields_set == OWN_FIELDS
    principal.require(Right.WRITE_ALERTS if is_own else Right.WRITE_ORGANIZATIONS)
    async with control.storage.write() as transaction:
        stored = await transaction.organizations.get(principal.scope, organization_id)
        check_version(stored.version, expected_version)
        check_own(control, stored.platform_id)
        policy = settle_policy(control, body.policy, ()) if "policy" in body.model_fields_set else stored.policy
        updated = replace(_change_organization(stored, body), policy=policy)
        await transaction.organizations.update(updated)
        detail = describe_changes(stored, updated)
        draft = EventDraft(name_actor(principal), "organization.updated", organization_id, detail)
        await transaction.events.append(draft)
        if updated.policy != stored.policy:
            await note_conflicts(transaction, name_actor(principal), updated)
        if not is_own:
            await transaction.snapshot.touch(SnapshotTable.ORGANIZATIONS, [organization_id])
            await tell_admissions(transaction, control, organization_id)
    return updated


def build_organization(control: Control, body: OrganizationCreate) -> Organization:
    """Return a new organization that is not stored yet."""
    return Organization(
        id=OrganizationId(create_id()),
        platform_id=control.platform_id,
        name=body.name,
        billing=body.billing,
        snapshot_age_s_max=body.snapshot_age_s_max,
        time_zone=body.time_zone,
        limits=change_limits(CallLimits(), body.limits),
        policy=body.policy,
        version=1,
        created_at=control.clock.now(),
    )


async def insert_organization(transaction: Transaction, actor: str, organization: Organization) -> None:
    """Write an organization, its event and its mark in the snapshot; raises AlreadyExists when the name is taken."""
    await transaction.organizations.insert(organization)
    await transaction.events.append(
        EventDraft(actor, "organization.created", organization.id, {"name": organization.name})
    )
    await transaction.snapshot.touch(SnapshotTable.ORGANIZATIONS, [organization.id])


def _change_organization(stored: Organization, body: OrganizationUpdate) -> Organization:
    named = body.model_fields_set
    return replace(
        stored,
        name=body.name if "name" in named else stored.name,
        billing=body.billing if "billing" in named else stored.billing,
        snapshot_age_s_max=body.snapshot_age_s_max if "snapshot_age_s_max" in named else stored.snapshot_age_s_max,
        time_zone=body.time_zone if "time_zone" in named else stored.time_zone,
        limits=change_limits(stored.limits, body.limits),
        wallet_low_nano=change_amounts(stored.wallet_low_nano, body.wallet_low_nano),
        version=stored.version + 1,
    )
