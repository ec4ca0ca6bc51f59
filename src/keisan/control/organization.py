"""Commands on organizations: create, rename."""

from dataclasses import replace

from keisan.control.context import Control, check_version, name_actor
from keisan.domain.access import Principal, Right
from keisan.domain.event import EventDraft
from keisan.domain.ids import OrganizationId
from keisan.domain.organization import Organization
from keisan.kit.ids import create_id
from keisan.storage.base import Transaction
from keisan.wire.organization import OrganizationCreate, OrganizationUpdate


async def create_organization(control: Control, principal: Principal, body: OrganizationCreate) -> Organization:
    """Create an organization; raises PermissionDenied, or AlreadyExists when the name is taken."""
    principal.require(Right.WRITE_ORGANIZATIONS)
    organization = build_organization(control, body.name)
    async with control.storage.write() as transaction:
        await insert_organization(transaction, name_actor(principal), organization)
    return organization


async def rename_organization(
    control: Control,
    principal: Principal,
    organization_id: OrganizationId,
    expected_version: int,
    body: OrganizationUpdate,
) -> Organization:
    """Rename an organization; raises PermissionDenied, NotFound, VersionMismatch or AlreadyExists."""
    principal.require(Right.WRITE_ORGANIZATIONS)
    async with control.storage.write() as transaction:
        stored = await transaction.organizations.get(principal.scope, organization_id)
        check_version(stored.version, expected_version)
        renamed = replace(stored, name=body.name, version=stored.version + 1)
        await transaction.organizations.update(renamed)
        detail = {"name": renamed.name, "previous_name": stored.name}
        await transaction.events.append(
            EventDraft(name_actor(principal), "organization.renamed", organization_id, detail)
        )
    return renamed


def build_organization(control: Control, name: str) -> Organization:
    """Return a new organization that is not stored yet."""
    return Organization(
        id=OrganizationId(create_id()),
        platform_id=control.platform_id,
        name=name,
        version=1,
        created_at=control.clock.now(),
    )


async def insert_organization(transaction: Transaction, actor: str, organization: Organization) -> None:
    """Write an organization and its event; raises AlreadyExists when the name is taken."""
    await transaction.organizations.insert(organization)
    await transaction.events.append(
        EventDraft(actor, "organization.created", organization.id, {"name": organization.name})
    )
