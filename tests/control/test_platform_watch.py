"""The watch: offers are told once until they change, and taken back by their author alone."""

from dataclasses import replace

from keisan.control.platform_watch import PlatformWatch
from keisan.control.snapshot import SnapshotFeed
from keisan.domain.letter import Letter, LetterKind
from keisan.domain.replica import ReplicaState
from keisan.domain.snapshot import SnapshotTable
from keisan.domain.verdict import Verdict
from tests.control.link_world import EVERYTHING, Member, Nation
from tests.control.offer_world import ask, carry_all, open_offering

__all__ = ["open_offering"]


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
