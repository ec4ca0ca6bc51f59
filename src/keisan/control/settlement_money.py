"""Money of records that are told: what another platform served is charged here, at its home, and what credit forbids is suspended.

What this platform served is posted when its gateways hand it in. Home's own word moves nothing: a part of the ticket waits.
"""

from collections.abc import Iterable, Sequence

from keisan.control.context import Control
from keisan.domain.cross_record import CrossRecord, CrossState, CrossUsage, RecordEnd
from keisan.domain.ids import PlatformId
from keisan.domain.platform_ticket import CrossChargeCode, CrossChargeState
from keisan.federation.rule_settlement import HoldCode
from keisan.kit.clock import from_milliseconds
from keisan.ledger.cross_usage import CrossPosting, charge_cross_calls, note_own_calls
from keisan.ledger.rule_platform_ticket import CrossCall
from keisan.storage.base import Transaction

HOLD_CODES = {HoldCode.REVOKED: CrossChargeCode.REVOKED_PLATFORM, HoldCode.LATE: CrossChargeCode.LATE}


async def charge_served(
    transaction: Transaction, control: Control, serving_id: PlatformId, records: Iterable[CrossRecord]
) -> CrossPosting:
    """Charge those of some records that their author served for this platform's customers, and suspend what their tickets do not pay.

    Judged ones that are held back are kept as suspended: nobody pays. The entry is left to be written at the transaction's end.
    """
    served = [each for each in records if each.usage.end is RecordEnd.SERVING and each.usage.author == serving_id]
    refused = {each.usage.record_id: name_refusal(each) for each in served if each.state is not CrossState.SETTLED}
    calls = [build_call(each.usage) for each in served]
    posting = await charge_cross_calls(transaction, control.journal, serving_id, calls, refused)
    for each in served:
        charge = posting.charges[each.usage.record_id]
        if each.state is CrossState.SETTLED and charge.state is not CrossChargeState.POSTED:
            code = charge.code or charge.state
            await transaction.cross_records.judge(serving_id, charge.record_id, CrossState.SUSPENDED, code)
    return posting


async def note_forwarded(
    transaction: Transaction, control: Control, serving_id: PlatformId, records: Sequence[CrossRecord]
) -> None:
    """Note home's own word of calls that another platform served, until that one's word comes, or the window closes."""
    own = [
        build_call(each.usage)
        for each in records
        if each.usage.end is RecordEnd.HOME and each.usage.home_id == control.platform_id
    ]
    await note_own_calls(transaction, control.journal, serving_id, own)


def build_call(usage: CrossUsage) -> CrossCall:
    """Return what one end says of a call as credit sees it."""
    return CrossCall(
        record_id=usage.record_id,
        ticket_id=usage.ticket_id,
        organization_id=usage.organization_id,
        currency=usage.currency,
        price_id=usage.price_id,
        quantities=usage.quantities,
        amount_nano=usage.amount_nano,
        admitted_at=from_milliseconds(usage.admitted_at_ms),
    )


def name_refusal(record: CrossRecord) -> CrossChargeCode:
    """Return why nobody pays for a record that is held back."""
    if record.state is CrossState.DISPUTED:
        return CrossChargeCode.DISPUTED
    return next((code for hold, code in HOLD_CODES.items() if hold == record.code), CrossChargeCode.HELD)
