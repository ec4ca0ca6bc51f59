"""Makers through the client."""

from keisan.sdk import AsyncKeisan, Keisan


async def test_list(admin: AsyncKeisan) -> None:
    found = [line async for line in admin.makers.list()]
    assert "smic" in {line.id for line in found}


def test_blocking_twin(keisan: Keisan) -> None:
    assert list(keisan.makers.list())
