"""The bell of links: heard once for each time it was rung, also by one who comes later."""

from keisan.control.link_bell import LinkBell


async def test_a_ring_is_heard_once() -> None:
    bell = LinkBell()
    assert not await bell.wait(0.01)
    bell.ring()
    bell.ring()
    assert await bell.wait(0.01)
    assert not await bell.wait(0.01)
