"""Policies through the client."""

import pytest

from keisan.sdk import AsyncKeisan, InvalidInput


async def test_check(admin: AsyncKeisan) -> None:
    found = await admin.policies.check(" region in CN ")
    assert (found.policy, found.clauses, found.chips) == ("region in CN", ("region in CN",), ())
    with pytest.raises(InvalidInput, match="'region in JP'"):
        await admin.policies.check("region in CN; region in JP")
