"""Capacity through the client, waiting and not."""

from keisan.sdk import AsyncKeisan, CapacityKey, CapacityKind, Keisan


async def test_capacity_is_summed_by_a_key(admin: AsyncKeisan) -> None:
    found = await admin.capacity.get(CapacityKey.CHIP)
    assert [line.value for line in found.lines] == ["nvidia-h20", None]
    assert found.kinds[CapacityKind.REGISTERED].is_known


def test_capacity_waits_too(keisan: Keisan) -> None:
    assert keisan.capacity.get().by is CapacityKey.REGION
