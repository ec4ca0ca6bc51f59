"""Commands on prices: create the next version. A version never changes and never goes."""

from keisan.control.context import Control, name_actor
from keisan.domain.access import PlatformScope, Principal, Right
from keisan.domain.event import EventDraft
from keisan.domain.ids import ModelId, PriceId
from keisan.domain.lease import WorkNoun
from keisan.domain.price import Price, check_price
from keisan.domain.snapshot import SnapshotTable
from keisan.domain.validity import settle_start
from keisan.kit.ids import create_id
from keisan.storage.base import Transaction
from keisan.wire.price import PriceCreate


async def create_price(control: Control, principal: Principal, body: PriceCreate) -> Price:
    """Create the next version of a model's prices; gateways bill by it once it is in force and they have the snapshot.

    Raises PermissionDenied, InvalidInput as check_price does and for an instant in the past, NotFound without such a
    model.
    """
    principal.require(Right.WRITE_PRICES)
    check_price(body.nano_per_million)
    async with control.storage.write() as transaction:
        model = await transaction.models.get(principal.scope, ModelId(body.model_id))
        return await insert_price(control, transaction, name_actor(principal), model.id, body)


async def insert_price(
    control: Control, transaction: Transaction, actor: str, model_id: ModelId, body: PriceCreate
) -> Price:
    """Write the next price version of a model with its event, and what brings it into the snapshot when it is in force.

    Raises InvalidInput for an instant in the past.
    """
    now = control.clock.now()
    price = Price(
        id=PriceId(create_id()),
        platform_id=control.platform_id,
        model_id=model_id,
        version=await transaction.prices.get_last_version(PlatformScope(), model_id) + 1,
        currency=body.currency,
        nano_per_million=dict(body.nano_per_million),
        effective_from=settle_start(body.effective_from, now),
        created_at=now,
    )
    current = (await transaction.prices.list_current(PlatformScope(), [model_id], now)).get(model_id)
    await transaction.prices.insert(price)
    await transaction.events.append(EventDraft(actor, "price.created", price.id, describe_price(price)))
    if price.effective_from > now:
        await transaction.outbox.put(WorkNoun.PRICE, price.id, price.effective_from)
    else:
        await touch_price(transaction, price, current)
    return price


def describe_price(price: Price) -> dict[str, str]:
    """Return what the audit log says of a price."""
    return {
        "model_id": str(price.model_id),
        "price_version": str(price.version),
        "currency": price.currency,
        "effective_from": price.effective_from.isoformat(),
        **{f"nano_per_million.{token_class}": str(nano) for token_class, nano in price.nano_per_million.items()},
    }


async def touch_price(transaction: Transaction, price: Price, replaced: Price | None) -> None:
    """Mark a price that is in force now, the one it takes the place of, and their model.

    Gateways hold the one in force only, so the one it follows leaves the snapshot.
    """
    await transaction.snapshot.touch(SnapshotTable.PRICES, [price.id, *([replaced.id] if replaced else [])])
    await transaction.snapshot.touch(SnapshotTable.MODELS, [price.model_id])
