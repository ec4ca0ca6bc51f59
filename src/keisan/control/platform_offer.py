"""What this platform tells all others that it serves for them: one signed register for each model, region and chip.

Written anew only when it says something else; what is not served any more is taken back by a tombstone, by this platform alone.
"""

from collections.abc import Collection
from dataclasses import replace

from keisan.control.context import Control
from keisan.control.letter import build_draft, put_register
from keisan.control.link_place import load_neighbourhood
from keisan.control.snapshot_tables import is_served
from keisan.domain.access import PlatformScope
from keisan.domain.letter import Letter, LetterKind
from keisan.federation.rule_offer import OwnSupply, draw_offers
from keisan.storage.base import Transaction
from keisan.wire.offer_letter import encode_offer

EVERYTHING = PlatformScope()


async def draw_own_offers(view: Transaction, control: Control, wanted: Collection[str] | None) -> dict[str, bytes]:
    """Return what is to be offered now, as bodies by the names of their registers: nothing to nobody."""
    if not (await load_neighbourhood(view)).links:
        return {}
    models = await view.models.list_by_ids(EVERYTHING, None)
    supply = OwnSupply(
        replicas=[each for each in await view.replicas.list_by_ids(EVERYTHING, None) if is_served(each)],
        models={each.id: each for each in models},
        prices=await view.prices.list_current(EVERYTHING, None, control.clock.now()),
        regions={each.id: each.region for each in await view.sites.list_all(EVERYTHING)},
        chips=control.chips,
        wanted=wanted,
    )
    return {name: encode_offer(body) for name, body in draw_offers(supply).items()}


async def list_told_offers(view: Transaction, control: Control) -> dict[str, Letter]:
    """Return this platform's own offers as they stand, without those that it took back."""
    letters = await view.registers.list_kind(EVERYTHING, LetterKind.OFFER)
    return {each.name: each for each in letters if each.author == control.platform_id}


async def tell_offers(transaction: Transaction, control: Control, wanted: Collection[str] | None = None) -> int:
    """Write what differs from what was told last, and return how many registers that were."""
    offers, told = await draw_own_offers(transaction, control, wanted), await list_told_offers(transaction, control)
    changed = {name: body for name, body in offers.items() if name not in told or told[name].body != body}
    for name, body in sorted(changed.items()):
        await put_register(transaction, control, replace(build_draft(control, LetterKind.OFFER, body), name=name))
    ended = sorted(told.keys() - offers.keys())
    for name in ended:
        draft = build_draft(control, LetterKind.OFFER, told[name].body)
        await put_register(transaction, control, replace(draft, name=name, is_deleted=True))
    return len(changed) + len(ended)
