"""A node's way to its site: every fault is one of the tree, told as the site's."""

from uuid import UUID

import pytest

from keisan.agent.site_link import SiteLink
from keisan.domain.errors import PlatformUnreachable
from keisan.domain.key import Secret
from tests.agent.many_hosts import describe_host


async def test_a_site_that_is_away_is_named() -> None:
    async with SiteLink("http://127.0.0.1:1", Secret("s" * 32), None, ("n1", UUID(int=1))) as link:
        with pytest.raises(PlatformUnreachable, match="the site's agent does not answer"):
            await link.report(describe_host("n1"))
        with pytest.raises(PlatformUnreachable):
            await link.send_frame(b"")
        with pytest.raises(PlatformUnreachable):
            await link.send_inventory(b"")
