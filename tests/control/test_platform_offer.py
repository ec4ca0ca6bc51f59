"""Offers of a platform: of models that are wanted, and to somebody."""

from keisan.control.platform_watch import PlatformWatch
from keisan.domain.letter import Letter, LetterKind
from tests.control.link_world import EVERYTHING, Member, Nation
from tests.control.offer_world import open_offering, plant_replica

__all__ = ["open_offering"]


async def list_offers(member: Member) -> list[Letter]:
    async with member.control.storage.read() as view:
        return list(await view.registers.list_kind(EVERYTHING, LetterKind.OFFER))


async def test_only_models_that_are_wanted_are_offered_and_none_to_nobody(nation: Nation) -> None:
    sx = nation.members[2]
    await PlatformWatch(sx.control, ("another",)).look()
    assert await list_offers(sx) == []
    alone = await nation.add()
    await plant_replica(alone)
    await PlatformWatch(alone.control).look()
    assert await list_offers(alone) == []
