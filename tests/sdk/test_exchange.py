"""Exchanges through the client, waiting and not."""

import pytest

from keisan.domain.errors import NotFound
from keisan.sdk import AsyncKeisan, Keisan


async def test_exchanges_are_listed(admin: AsyncKeisan) -> None:
    assert (await admin.exchanges.list()).items == ()
    with pytest.raises(NotFound):
        await admin.exchanges.list("0" * 64)


def test_exchanges_wait_too(keisan: Keisan) -> None:
    assert keisan.exchanges.list().items == ()
