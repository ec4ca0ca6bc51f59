"""Commands on top-ups: put money from outside into a wallet."""

from keisan.control.context import Control, name_actor
from keisan.domain.access import Principal, Right
from keisan.domain.account import AccountKind, Posting
from keisan.domain.event import EventDraft
from keisan.domain.ids import OrganizationId, PostingBatchId
from keisan.domain.top_up import TopUp
from keisan.kit.ids import create_id
from keisan.storage.base import AccountKey
from keisan.wire.top_up import TopUpCreate


async def create_top_up(
    control: Control, principal: Principal, organization_id: OrganizationId, body: TopUpCreate
) -> TopUp:
    """Post an amount from outside to an organization's wallet; raises PermissionDenied, or NotFound without such an organization."""
    principal.require(Right.WRITE_TOP_UPS)
    now, batch_id = control.clock.now(), PostingBatchId(create_id())
    outside = AccountKey(AccountKind.OUTSIDE, None, None, body.currency)
    wallet = AccountKey(AccountKind.WALLET, organization_id, None, body.currency)
    async with control.storage.write() as transaction:
        organization = await transaction.organizations.get(principal.scope, organization_id)
        accounts = await transaction.accounts.open([outside, wallet])
        posting = Posting(
            batch_id=batch_id,
            debit_account_id=accounts[outside],
            credit_account_id=accounts[wallet],
            currency=body.currency,
            amount_nano=body.amount_nano,
            record_count=0,
            created_at=now,
        )
        await transaction.accounts.post([posting])
        detail = {"amount_nano": str(body.amount_nano), "currency": body.currency, "note": body.note}
        draft = EventDraft(
            name_actor(principal), "organization.topped_up", organization.id, detail | {"batch_id": str(batch_id)}
        )
        await transaction.events.append(draft)
        after = await transaction.accounts.get(principal.scope, accounts[wallet])
    return TopUp(
        id=batch_id,
        platform_id=control.platform_id,
        organization_id=organization.id,
        currency=body.currency,
        amount_nano=body.amount_nano,
        note=body.note,
        balance_nano=after.balance_nano,
        created_at=now,
    )
