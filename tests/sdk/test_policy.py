"""Policies through the client."""

import pytest

from keisan.sdk import AsyncKeisan, InvalidInput


async def test_check(admin: AsyncKeisan) -> None:
    found = await admin.policies.check(" region in CN ")
    assert (found.policy, found.clauses) == ("region in CN", ("region in CN",))
    assert {line.outcome for line in found.chips} == {"holds"}
    with pytest.raises(InvalidInput, match="'region in JP'"):
        await admin.policies.check("region in CN; region in JP")
