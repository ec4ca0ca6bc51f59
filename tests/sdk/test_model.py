"""Models through the client: found by the name that calls use."""

from keisan.sdk import AsyncKeisan, ModelCreate
from tests.api.stage import MODEL_BODY


async def test_create_and_find(admin: AsyncKeisan) -> None:
    created = await admin.models.create(ModelCreate.model_validate(MODEL_BODY | {"name": "other"}))
    assert await admin.models.get(created.id) == created
    assert await admin.models.find("other") == created
    assert await admin.models.find("nothing") is None
