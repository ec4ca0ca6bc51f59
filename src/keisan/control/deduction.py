"""Commands on deductions: create the next version, withdraw a subject's own. A version never changes and never goes."""

from dataclasses import replace

from keisan.control.context import Control, name_actor
from keisan.domain.access import Principal, Right
from keisan.domain.deduction import Deduction, check_deduction
from keisan.domain.errors import StateConflict
from keisan.domain.event import EventDraft
from keisan.domain.ids import DeductionId, OrganizationId, ProviderId
from keisan.domain.validity import check_end, settle_start
from keisan.kit.ids import create_id
from keisan.storage.base import Transaction
from keisan.wire.deduction import DeductionCreate


async def create_deduction(control: Control, principal: Principal, body: DeductionCreate) -> Deduction:
    """Create the next version of a margin or of tax; it is taken of calls that are admitted while it is in force.

    Raises PermissionDenied, NotFound for no such provider or organization, InvalidInput as check_deduction does and for
    a validity that is over or in the past.
    """
    principal.require(Right.WRITE_DEDUCTIONS)
    async with control.storage.write() as transaction:
        # Its instant is read here: who wrote before saw no later one.
        deduction = build_deduction(control, body)
        check_deduction(deduction)
        check_end(deduction.effective_from, deduction.effective_until)
        if deduction.provider_id is not None:
            await transaction.providers.get(principal.scope, deduction.provider_id)
        if deduction.organization_id is not None:
            await transaction.organizations.get(principal.scope, deduction.organization_id)
        return await insert_next_version(transaction, principal, "deduction.created", deduction)


async def withdraw_deduction(control: Control, principal: Principal, deduction_id: DeductionId) -> Deduction:
    """Make a version without a rate: from now on everybody's rate holds for its subject, or none if it was everybody's.

    Raises PermissionDenied, NotFound, StateConflict for a version that withdraws already.
    """
    principal.require(Right.WRITE_DEDUCTIONS)
    async with control.storage.write() as transaction:
        now = control.clock.now()
        deduction = await transaction.deductions.get(principal.scope, deduction_id)
        if deduction.is_withdrawn:
            raise StateConflict(f"the deduction {deduction_id} is withdrawn")
        empty = replace(
            deduction,
            id=DeductionId(create_id()),
            rate_ppm=None,
            effective_from=now,
            effective_until=None,
            created_at=now,
        )
        return await insert_next_version(transaction, principal, "deduction.withdrawn", empty)


def build_deduction(control: Control, body: DeductionCreate) -> Deduction:
    """Return the deduction of a body, its version not numbered yet; raises InvalidInput for an instant in the past."""
    now = control.clock.now()
    return Deduction(
        id=DeductionId(create_id()),
        platform_id=control.platform_id,
        kind=body.kind,
        provider_id=None if body.provider_id is None else ProviderId(body.provider_id),
        organization_id=None if body.organization_id is None else OrganizationId(body.organization_id),
        rate_ppm=body.rate_ppm,
        effective_from=settle_start(body.effective_from, now),
        effective_until=body.effective_until,
        version=1,
        created_at=now,
    )


async def insert_next_version(
    transaction: Transaction, principal: Principal, action: str, deduction: Deduction
) -> Deduction:
    """Write a deduction as the newest version of its kind and subject, with its event.

    Raises AlreadyExists if a concurrent transaction was first.
    """
    last_version = await transaction.deductions.get_last_version(principal.scope, deduction.kind, deduction.subject)
    numbered = replace(deduction, version=last_version + 1)
    await transaction.deductions.insert(numbered)
    await transaction.events.append(
        EventDraft(name_actor(principal), action, numbered.id, describe_deduction(numbered))
    )
    return numbered


def describe_deduction(deduction: Deduction) -> dict[str, str]:
    """Return what the audit log says of a deduction."""
    told = {
        "kind": deduction.kind,
        "subject": deduction.subject,
        "deduction_version": deduction.version,
        "rate_ppm": deduction.rate_ppm,
        "effective_from": deduction.effective_from.isoformat(),
        "effective_until": deduction.effective_until and deduction.effective_until.isoformat(),
    }
    return {name: str(value) for name, value in told.items() if value is not None}
