"""Alerts are written in the transaction of what causes them, with a delivery for each webhook that wants them.

Call these after accounts and tickets are locked and moved: raising an alert locks the head, as an event does.
"""

from collections.abc import Sequence
from datetime import datetime

from keisan.domain.access import PlatformScope
from keisan.domain.account import BalanceMove
from keisan.domain.alert import Alert, AlertDraft, AlertKind
from keisan.domain.delivery import Delivery, DeliveryState
from keisan.domain.event import EventDraft
from keisan.domain.ids import AlertId, DeliveryId
from keisan.domain.lease import WorkNoun
from keisan.kit.ids import create_id
from keisan.ledger.rule_alert import is_fallen
from keisan.storage.base import Transaction

ACTOR = "control"


async def raise_alerts(transaction: Transaction, drafts: Sequence[AlertDraft], now: datetime) -> tuple[Alert, ...]:
    """Write alerts, an event of each, and a delivery for each webhook that wants it; return the alerts."""
    return tuple([await _raise_alert(transaction, draft, now) for draft in drafts])


async def note_wallet_moves(transaction: Transaction, moves: Sequence[BalanceMove], now: datetime) -> tuple[Alert, ...]:
    """Tell the organizations whose wallets have fallen below the floor they set; asks the database nothing where none has."""
    drafts = [
        _describe_low(move, move.floor_nano)
        for move in moves
        if move.floor_nano is not None and is_fallen(move.before_nano, move.after_nano, move.floor_nano)
    ]
    return await raise_alerts(transaction, drafts, now)


def _describe_low(move: BalanceMove, floor_nano: int) -> AlertDraft:
    detail = {"currency": move.currency, "balance_nano": str(move.after_nano), "wallet_low_nano": str(floor_nano)}
    return AlertDraft(move.organization_id, AlertKind.WALLET_LOW, move.account_id, detail)


async def _raise_alert(transaction: Transaction, draft: AlertDraft, now: datetime) -> Alert:
    alert = Alert(
        id=AlertId(create_id()),
        platform_id=(await transaction.platform.get()).id,
        organization_id=draft.organization_id,
        kind=draft.kind,
        subject_id=draft.subject_id,
        detail=dict(draft.detail),
        created_at=now,
    )
    owner = {} if draft.organization_id is None else {"organization_id": str(draft.organization_id)}
    detail = {"kind": str(draft.kind), "subject_id": str(draft.subject_id), **owner}
    # First: until commit nobody else counts a webhook's deliveries, for whoever does holds the head.
    await transaction.events.append(EventDraft(ACTOR, "alert.raised", alert.id, detail))
    await transaction.alerts.insert(alert)
    for webhook in await transaction.webhooks.list_hearing(PlatformScope(), alert.organization_id):
        if webhook.is_wanting(alert):
            last = await transaction.deliveries.get_last_sequence(PlatformScope(), webhook.id)
            await transaction.deliveries.insert(
                Delivery(
                    id=DeliveryId(create_id()),
                    platform_id=alert.platform_id,
                    organization_id=webhook.organization_id,
                    webhook_id=webhook.id,
                    sequence=last + 1,
                    alert_id=alert.id,
                    state=DeliveryState.PENDING,
                    attempt_count=0,
                    wanted_since=now,
                    next_at=now,
                    last_answer="",
                    version=1,
                    created_at=now,
                )
            )
            await transaction.outbox.put(WorkNoun.WEBHOOK, webhook.id, now)
    return alert
