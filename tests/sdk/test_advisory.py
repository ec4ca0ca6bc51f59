"""Advisories through the client."""

from keisan.sdk import AsyncKeisan, Keisan


async def test_list(admin: AsyncKeisan) -> None:
    found = [line async for line in admin.advisories.list()]
    assert [line.chips for line in found] == [("nvidia-h20",)]


def test_blocking_twin(keisan: Keisan) -> None:
    assert list(keisan.advisories.list())
