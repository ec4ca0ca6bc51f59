"""Commands on top-ups: put money from outside into a wallet."""

from keisan.control.context import Control, name_actor
from keisan.domain.access import Principal, Right
from keisan.domain.account import AccountKey, AccountKind, Transfer
from keisan.domain.entry import EntryKind
from keisan.domain.event import EventDraft
from keisan.domain.ids import OrganizationId
from keisan.domain.top_up import TopUp
from keisan.ledger.journal import EntryDraft
from keisan.wire.top_up import TopUpCreate


async def create_top_up(
    control: Control, principal: Principal, organization_id: OrganizationId, body: TopUpCreate
) -> TopUp:
    """Post an amount from outside to an organization's wallet; raises PermissionDenied, or NotFound without such an organization."""
    principal.require(Right.WRITE_TOP_UPS)
    outside = AccountKey(AccountKind.OUTSIDE, None, None, body.currency)
    wallet = AccountKey(AccountKind.WALLET, organization_id, None, body.currency)
    async with control.storage.write() as transaction:
        organization = await transaction.organizations.get(principal.scope, organization_id)
        draft = EntryDraft(EntryKind.TOP_UP, [Transfer(outside, wallet, body.amount_nano)], organization.id)
        entry = await control.journal.write_entry(transaction, draft)
        detail = {"amount_nano": str(body.amount_nano), "currency": body.currency, "note": body.note}
        event = EventDraft(
            name_actor(principal), "organization.topped_up", organization.id, detail | {"entry_id": str(entry.id)}
        )
        await transaction.events.append(event)
        wallet_id = (await transaction.accounts.open([wallet]))[wallet]
        after = await transaction.accounts.get(principal.scope, wallet_id)
    return TopUp(
        id=entry.id,
        platform_id=control.platform_id,
        organization_id=organization.id,
        currency=body.currency,
        amount_nano=body.amount_nano,
        note=body.note,
        balance_nano=after.balance_nano,
        created_at=entry.created_at,
    )
