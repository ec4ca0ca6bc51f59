"""What gateways hear of other platforms: by signed registers and links, unknown in silence, gone by their author's word alone."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from keisan.control.link_review import revoke_link
from keisan.control.platform_watch import PlatformWatch
from keisan.control.snapshot import SnapshotFeed
from keisan.control.snapshot_platforms import compile_ticket, name_price
from keisan.domain.ids import OrganizationId, PriceId
from keisan.domain.letter import LetterKind
from keisan.domain.limits import PLATFORM_SILENCE_S
from keisan.domain.platform_ticket import CreditSide
from keisan.domain.verdict import Verdict
from keisan.kit.ids import create_id
from keisan.wire.link_view import LinkEnd
from keisan.wire.offer_letter import read_offer
from tests.control.link_world import EVERYTHING, Nation
from tests.control.offer_world import ask, carry, carry_all, open_offering
from tests.domain.credit_samples import PINNED, create_platform_ticket
from tests.factories import (
    create_model,
    create_price,
)

__all__ = ["open_offering"]


async def test_an_offer_of_one_province_is_a_candidate_at_the_other(nation: Nation) -> None:
    root, sx, hb = nation.members.values()
    await carry_all(nation)
    tables = (await ask(hb, SnapshotFeed(hb.control))).tables
    root_id, sx_id = root.control.platform_id, sx.control.platform_id
    assert {key: row.side for key, row in tables.neighbours.items()} == {root_id: "parent"}
    assert tables.platforms.keys() == {root_id, sx_id}
    there = tables.platforms[sx_id]
    assert (there.next_hop, there.region, there.verdict, there.name) == (root_id, "CN-SX", Verdict.OK, "platform 2")
    assert (tables.platforms[root_id].next_hop, tables.platforms[root_id].address) == (None, "nation.example:9443")
    (offer,) = tables.platform_offers.values()
    assert (offer.platform_id, offer.model, offer.verdict) == (sx_id, "m", Verdict.OK)
    assert str(offer.price_id) in tables.prices
    # A platform is no candidate of its own, and the one that serves knows its replica itself.
    own = (await ask(sx, SnapshotFeed(sx.control))).tables
    assert own.platform_offers == {}


async def test_silence_makes_unknown_and_deletes_nothing_and_deltas_lead_there(nation: Nation) -> None:
    hb = nation.members[3]
    await carry_all(nation)
    feed, watch = SnapshotFeed(hb.control), PlatformWatch(hb.control)
    await watch.look()
    before = await ask(hb, feed)
    hb.clock.instant += timedelta(seconds=PLATFORM_SILENCE_S + 1)
    await watch.look()
    silent = await ask(hb, feed, before)
    assert silent.version == before.version + 1
    assert {row.verdict for row in silent.tables.platforms.values()} == {Verdict.UNKNOWN}
    assert silent.tables.platform_offers == before.tables.platform_offers
    await carry_all(nation)
    await watch.look()
    heard = await ask(hb, feed, silent)
    assert heard.tables == before.tables


async def test_a_revoked_platform_is_no_candidate_with_all_that_it_offered(nation: Nation) -> None:
    root, sx, hb = nation.members.values()
    await carry_all(nation)
    (link, _) = await root.list_links()
    assert link.neighbour_id == sx.control.platform_id
    await revoke_link(root.control, root.admin, link.id, LinkEnd(reason="gone"))
    await carry(root, hb)
    for member in (root, hb):
        tables = (await ask(member, SnapshotFeed(member.control))).tables
        assert sx.control.platform_id not in tables.platforms
        assert (tables.platform_offers, tables.prices) == ({}, {})
    assert sx.control.platform_id not in (await ask(root, SnapshotFeed(root.control))).tables.neighbours


async def test_a_price_of_another_platform_never_takes_the_place_of_an_own_one(nation: Nation) -> None:
    sx, hb = nation.members[2], nation.members[3]
    await carry_all(nation)
    async with hb.control.storage.write() as transaction:
        (letter,) = await transaction.registers.list_kind(EVERYTHING, LetterKind.OFFER)
        model = create_model("own")
        price = replace(create_price(model), id=PriceId(UUID(read_offer(letter).price_id)))
        await transaction.models.insert(model)
        await transaction.prices.insert(price)
    tables = (await ask(hb, SnapshotFeed(hb.control))).tables
    assert tables.prices[str(price.id)].model_id == model.id
    (offer,) = tables.platform_offers.values()
    assert offer.price_id == name_price(sx.control.platform_id, str(price.id)) != price.id


def test_a_guests_ticket_sells_only_at_prices_that_this_platform_made() -> None:
    made = replace(create_price(create_model("small")), id=PINNED.price_id, nano_per_million=PINNED.nano_per_million)
    ticket = create_platform_ticket(OrganizationId(create_id()), side=CreditSide.SERVING, prices=(PINNED,))
    row = compile_ticket(ticket, {made.id: made})
    assert (row.home_platform_id, row.audience_platform_id) == (ticket.counterparty_id, ticket.platform_id)
    assert row.price_ids == {"small": made.id}
    cheaper = replace(made, nano_per_million={name: nano + 1 for name, nano in made.nano_per_million.items()})
    assert compile_ticket(ticket, {made.id: cheaper}).price_ids == {}
    assert compile_ticket(ticket, {}).price_ids == {}


def test_homes_ticket_names_the_other_platforms_prices_by_ids_of_our_own() -> None:
    ticket = create_platform_ticket(OrganizationId(create_id()), side=CreditSide.HOME, prices=(PINNED,))
    row = compile_ticket(ticket, {})
    assert (row.home_platform_id, row.audience_platform_id) == (ticket.platform_id, ticket.counterparty_id)
    assert row.price_ids == {"small": name_price(ticket.counterparty_id, str(PINNED.price_id))}
