"""Admissions through the client."""

import pytest

from keisan.sdk import AdmissionCreate, AlreadyExists, AsyncKeisan, NotFound, VersionMismatch
from tests.api.stage import Stage


async def test_admit_list_and_end(stage: Stage, admin: AsyncKeisan) -> None:
    body = AdmissionCreate(
        organization_id=stage.ids["organization"], platform_id="cd" * 32, currency="CNY", credit_nano_max=7
    )
    made = await admin.admissions.admit(body)
    assert await admin.admissions.get(made.id) == made
    with pytest.raises(AlreadyExists):
        await admin.admissions.admit(body)
    assert made in [line async for line in admin.admissions.list()]
    with pytest.raises(VersionMismatch):
        await admin.admissions.end(made.model_copy(update={"version": 7}))
    assert (await admin.admissions.end(made)).ended_at is not None
    with pytest.raises(NotFound):
        await admin.admissions.get(stage.ids["organization"])
