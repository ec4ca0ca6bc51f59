"""What gateways hear of other platforms: by signed registers and links, unknown in silence, gone by their author's word alone."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from keisan.control.link_review import revoke_link
from keisan.control.name import tell_names
from keisan.control.platform_watch import PlatformWatch
from keisan.control.snapshot import SnapshotFeed
from keisan.control.snapshot_platforms import compile_ticket, name_price
from keisan.domain.ids import OrganizationId, PriceId
from keisan.domain.letter import Letter, LetterKind
from keisan.domain.limits import PLATFORM_SILENCE_S
from keisan.domain.platform import PlatformKind
from keisan.domain.platform_ticket import CreditSide
from keisan.domain.replica import ReplicaState
from keisan.domain.snapshot import SnapshotTable
from keisan.domain.verdict import Verdict
from keisan.federation.key_book import order_for_book
from keisan.kit.ids import create_id
from keisan.wire.link_view import LinkEnd
from keisan.wire.offer_letter import read_offer
from keisan.wire.snapshot import Snapshot, SnapshotQuery, apply_delta, check_snapshot
from tests.control.link_world import EVERYTHING, Member, Nation, open_nation
from tests.domain.credit_samples import PINNED, create_platform_ticket
from tests.factories import (
    create_deployment,
    create_machine,
    create_model,
    create_node,
    create_price,
    create_provider,
    create_replica,
    create_site,
)


@pytest.fixture
async def nation(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Nation]:
    """A nation with two provinces, sx and hb; sx has a replica of a model."""
    async with open_nation(tmp_path, migrated_file) as opened:
        parent = await opened.add(PlatformKind.NATIONAL)
        parent.control = replace(parent.control, gateway_address="nation.example:9443")
        for region, label in (("CN-SX", "sx"), ("CN-HB", "hb")):
            await parent.take_in(await opened.add(), region, label)
        await plant_replica(opened.members[2])
        yield opened


async def plant_replica(member: Member) -> None:
    provider, model = create_provider(), create_model("m")
    site = create_site(provider)
    node, deployment = create_node(site), create_deployment(model, site)
    replica = replace(
        create_replica(deployment, site, node),
        state=ReplicaState.READY,
        verdict=Verdict.OK,
        model_digest="sha256:" + "1" * 64,
    )
    async with member.control.storage.write() as transaction:
        await transaction.providers.insert(provider)
        await transaction.sites.insert(site)
        await transaction.nodes.insert(node)
        await transaction.models.insert(model)
        await transaction.prices.insert(create_price(model))
        await transaction.deployments.insert(deployment)
        await transaction.replicas.insert(replica)


async def carry_all(nation: Nation) -> None:
    """Let all say who they are and what they serve, and carry it up and down; links are heard."""
    root, *others = nation.members.values()
    for member in nation.members.values():
        async with member.control.storage.write() as transaction:
            await tell_names(transaction, member.control)
            for link in await member.list_links():
                await transaction.links.note_heard(link.id, member.clock.now(), 0)
        await PlatformWatch(member.control).look()
    for source, target in [*((other, root) for other in others), *((root, other) for other in others)]:
        await carry(source, target)


async def carry(source: Member, target: Member) -> None:
    async with source.control.storage.read() as view:
        places = await view.registers.list_places(EVERYTHING, 0)
        letters = await view.registers.list_letters(EVERYTHING, [place.line.key for place in places])
    async with target.control.storage.write() as transaction:
        (link,) = await transaction.links.list_neighbour(EVERYTHING, source.control.platform_id)
        for letter in order_for_book(letters):
            if letter.author != target.control.platform_id:
                await transaction.registers.put(letter, link.id)


async def ask(member: Member, feed: SnapshotFeed, base: Snapshot | None = None) -> Snapshot:
    """Return the newest snapshot as a gateway of a platform has it, by a delta where there is one."""
    member.clock.instant += timedelta(seconds=1)
    query = SnapshotQuery()
    if base is not None:
        query = SnapshotQuery(incarnation=base.incarnation, version=base.version, digest=base.digest)
    gateway = create_machine()
    async with member.control.storage.write() as transaction:
        await transaction.machines.insert(gateway)
    answer = await feed.answer(gateway.to_principal(), query)
    if answer is None:
        assert base is not None
        return base
    if answer.snapshot is not None:
        check_snapshot(answer.snapshot)
        return answer.snapshot
    assert base is not None
    assert answer.delta is not None
    return apply_delta(base, answer.delta)


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


async def test_an_offer_is_told_once_until_it_changes_and_taken_back_by_a_tombstone(nation: Nation) -> None:
    sx, hb = nation.members[2], nation.members[3]
    await carry_all(nation)
    hub = PlatformWatch(sx.control)
    (told,) = await list_offers(sx)
    await hub.look()
    await hub.look()
    assert await list_offers(sx) == [told]
    async with sx.control.storage.write() as transaction:
        (replica,) = await transaction.replicas.list_by_ids(EVERYTHING, None)
        await transaction.replicas.update(replace(replica, verdict=Verdict.UNKNOWN, version=replica.version + 1))
        await transaction.snapshot.touch(SnapshotTable.REPLICAS, [replica.id])
    await hub.look()
    (changed,) = await list_offers(sx)
    assert (changed.version, b'"verdict":"unknown"' in changed.body) == (told.version + 1, True)
    async with sx.control.storage.write() as transaction:
        (replica,) = await transaction.replicas.list_by_ids(EVERYTHING, None)
        await transaction.replicas.update(replace(replica, state=ReplicaState.STOPPED, version=replica.version + 1))
        await transaction.snapshot.touch(SnapshotTable.REPLICAS, [replica.id])
    await hub.look()
    assert await list_offers(sx) == []
    await carry_all(nation)
    assert (await ask(hb, SnapshotFeed(hb.control))).tables.platform_offers == {}


async def list_offers(member: Member) -> list[Letter]:
    async with member.control.storage.read() as view:
        return list(await view.registers.list_kind(EVERYTHING, LetterKind.OFFER))


async def test_only_models_that_are_wanted_are_offered_and_none_to_nobody(
    nation: Nation, tmp_path: Path, migrated_file: Path
) -> None:
    sx = nation.members[2]
    await PlatformWatch(sx.control, ("another",)).look()
    assert await list_offers(sx) == []
    alone = await nation.add()
    await plant_replica(alone)
    await PlatformWatch(alone.control).look()
    assert await list_offers(alone) == []


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
