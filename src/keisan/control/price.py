"""Commands on prices: create the next version. A version never changes and never goes."""

from keisan.control.context import Control, name_actor
from keisan.domain.access import PlatformScope, Principal, Right
from keisan.domain.event import EventDraft
from keisan.domain.ids import ModelId, PriceId
from keisan.domain.price import Price, check_price
from keisan.domain.snapshot import SnapshotTable
from keisan.kit.ids import create_id
from keisan.storage.base import Transaction
from keisan.wire.price import PriceCreate


async def create_price(control: Control, principal: Principal, body: PriceCreate) -> Price:
    """Create the next version of a model's prices; gateways bill by it once they have the snapshot.

    Raises PermissionDenied, InvalidInput as check_price does, NotFound without such a model.
    """
    principal.require(Right.WRITE_PRICES)
    check_price(body.nano_per_million)
    async with control.storage.write() as transaction:
        model = await transaction.models.get(principal.scope, ModelId(body.model_id))
        return await insert_price(control, transaction, name_actor(principal), model.id, body)


async def insert_price(
    control: Control, transaction: Transaction, actor: str, model_id: ModelId, body: PriceCreate
) -> Price:
    """Write the next price version of a model, its event and its marks in the snapshot."""
    current = (await transaction.prices.list_current(PlatformScope(), [model_id])).get(model_id)
    price = Price(
        id=PriceId(create_id()),
        platform_id=control.platform_id,
        model_id=model_id,
        version=current.version + 1 if current else 1,
        currency=body.currency,
        nano_per_million=dict(body.nano_per_million),
        created_at=control.clock.now(),
    )
    await transaction.prices.insert(price)
    detail = {
        "model_id": str(model_id),
        "price_version": str(price.version),
        "currency": price.currency,
        **{f"nano_per_million.{token_class}": str(nano) for token_class, nano in price.nano_per_million.items()},
    }
    await transaction.events.append(EventDraft(actor, "price.created", price.id, detail))
    # Gateways hold the newest version only, so the one it follows leaves the snapshot.
    await transaction.snapshot.touch(SnapshotTable.PRICES, [price.id, *([current.id] if current else [])])
    await transaction.snapshot.touch(SnapshotTable.MODELS, [model_id])
    return price
