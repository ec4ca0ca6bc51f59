"""Claims through the client."""

import pytest

from keisan.sdk import AsyncKeisan, ClaimWrite, NotFound
from tests.api.stage import Stage


async def test_claim_is_made_found_uploaded_and_withdrawn(stage: Stage, admin: AsyncKeisan) -> None:
    claim = await admin.claims.make(stage.ids["site"], ClaimWrite(chip="metax-c600", device_count=8))
    assert await admin.claims.get(claim.id) == claim
    assert (await admin.claims.upload(b"site,chip,device_count\ncellar,metax-c600,8\n")).unchanged_count == 1
    assert [line.chip async for line in admin.claims.list()] == ["nvidia-h20", "metax-c600"]
    assert await admin.claims.withdraw(claim) == claim
    with pytest.raises(NotFound):
        await admin.claims.get(claim.id)
