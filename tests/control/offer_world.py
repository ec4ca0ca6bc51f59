"""A nation with two provinces, one of which serves a model, and what carries their registers to and fro."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from keisan.control.name import tell_names
from keisan.control.platform_watch import PlatformWatch
from keisan.control.snapshot import SnapshotFeed
from keisan.domain.platform import PlatformKind
from keisan.domain.replica import ReplicaState
from keisan.domain.verdict import Verdict
from keisan.federation.key_book import order_for_book
from keisan.wire.snapshot import Snapshot, SnapshotQuery, apply_delta, check_snapshot
from tests.control.link_world import EVERYTHING, Member, Nation, open_nation
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


@pytest.fixture(name="nation")
async def open_offering(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Nation]:
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
