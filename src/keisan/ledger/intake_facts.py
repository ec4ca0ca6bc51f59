"""What a batch of records is held against, read once for all of them."""

from collections.abc import Collection

from keisan.domain.access import MachineKind, PlatformScope
from keisan.domain.errors import NotFound
from keisan.domain.ids import MachineId
from keisan.domain.usage import UsageContext
from keisan.ledger.rule import Facts
from keisan.storage.base import Transaction


async def load_facts(transaction: Transaction, gateway_id: MachineId, contexts: Collection[UsageContext]) -> Facts:
    """Return what is known about the keys, prices, replicas and gateways that contexts name, and what was asked and deducted."""
    platform = await transaction.platform.get()
    scope = PlatformScope()
    keys = await transaction.keys.list_by_ids(scope, {context.key_id for context in contexts})
    prices = await transaction.prices.list_by_ids(scope, {context.price_id for context in contexts})
    replicas = await transaction.replicas.list_by_ids(scope, {context.replica_id for context in contexts})
    pairs = {(context.provider_id, context.model_id) for context in contexts}
    owners = await transaction.organizations.list_by_ids(scope, {context.organization_id for context in contexts})
    return Facts(
        platform_id=platform.id,
        gateway_ids=await _list_gateways(transaction, gateway_id, contexts),
        keys={key.id: key for key in keys},
        prices={price.id: price for price in prices.values()},
        replicas={replica.id: replica for replica in replicas},
        offers=await transaction.offers.list_models(scope, pairs),
        deductions=await transaction.deductions.list_all(scope),
        closed_through=(await transaction.retention.get_mark(scope)).closed_through,
        guests={each.id: each.platform_id for each in owners if each.platform_id != platform.id},
    )


async def _list_gateways(
    transaction: Transaction, gateway_id: MachineId, contexts: Collection[UsageContext]
) -> frozenset[MachineId]:
    """Return the gateways whose records this one may hand in.

    A machine that was revoked joins again as another one, and the spool beside it still holds what the first one wrote.
    """
    accepted = {gateway_id}
    for named_id in {context.gateway_id for context in contexts} - accepted:
        try:
            named = await transaction.machines.get(PlatformScope(), named_id)
        except NotFound:
            continue
        if named.kind is MachineKind.GATEWAY and named.revoked_at is not None:
            accepted.add(named_id)
    return frozenset(accepted)
