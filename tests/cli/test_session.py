"""A target opens a client that speaks as whom it says, and shows its key to nobody."""

import pytest

from keisan.cli.session import Target
from keisan.domain.errors import PlatformUnreachable
from keisan.domain.key import Secret


async def test_target_opens_a_client_of_its_platform() -> None:
    target = Target("http://127.0.0.1:1", None, Secret("sk-keisan-x"))
    assert "sk-keisan-x" not in repr(target)
    async with target.open() as keisan:
        with pytest.raises(PlatformUnreachable):
            await keisan.platform.get()
