"""Templates of supernodes through the client."""

import pytest

from keisan.sdk import AsyncKeisan, NotFound


async def test_template_is_found_by_id(admin: AsyncKeisan) -> None:
    found = await admin.supernode_templates.list()
    assert await admin.supernode_templates.get("cloudmatrix-384") in found.items
    with pytest.raises(NotFound, match=r"there is no template 'x'; there are: cloudmatrix-384, metax-mesh-64"):
        await admin.supernode_templates.get("x")
