"""Deductions through the client: made, found, withdrawn."""

import pytest

from keisan.sdk import AsyncKeisan, DeductionCreate, DeductionKind, StateConflict
from tests.api.stage import Stage


async def test_deduction_is_made_found_and_withdrawn(stage: Stage, admin: AsyncKeisan) -> None:
    body = DeductionCreate(kind=DeductionKind.TAX, organization_id=stage.ids["organization"], rate_ppm=60_000)
    created = await admin.deductions.create(body)
    assert (created.version, created.rate_ppm, created.organization_id) == (1, 60_000, stage.ids["organization"])
    assert await admin.deductions.get(created.id) == created
    withdrawn = await admin.deductions.withdraw(created.id)
    assert (withdrawn.rate_ppm, withdrawn.version) == (None, 2)
    assert len([line async for line in admin.deductions.list()]) == 3
    with pytest.raises(StateConflict):
        await admin.deductions.withdraw(withdrawn.id)
