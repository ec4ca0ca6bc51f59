"""Commands on models."""

import pytest

from keisan.control.context import Control
from keisan.control.model import create_model
from keisan.domain.access import Role
from keisan.domain.errors import AlreadyExists, InvalidInput, PermissionDenied
from keisan.wire.model import ModelCreate
from tests.api.stage import MODEL_BODY
from tests.control.people import EVERYTHING, add_key, count_actions, get_version, list_touched
from tests.factories import World

BODY = ModelCreate.model_validate(MODEL_BODY | {"name": "other"})


async def test_created_model_is_stored_whole_and_marked(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    before = await get_version(control)
    created = await create_model(control, admin, BODY)
    async with control.storage.read() as view:
        stored = await view.models.get(EVERYTHING, created.id)
    assert stored == created
    assert stored.facts.surfaces == BODY.surfaces
    assert stored.facts.memory_bytes == BODY.memory_bytes
    assert await list_touched(control, before) == {("models", str(created.id))}
    with pytest.raises(AlreadyExists):
        await create_model(control, admin, BODY)
    assert (await count_actions(control))["model.created"] == 1


async def test_answer_longer_than_the_context_is_refused(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    longer = BODY.model_copy(update={"output_tokens_max": BODY.context_tokens + 1})
    with pytest.raises(InvalidInput) as refused:
        await create_model(control, admin, longer)
    assert refused.value.field == "output_tokens_max"


async def test_providers_make_no_models(control: Control, world: World) -> None:
    asker = await add_key(control, world.left.project, Role.PROVIDER, world.left.provider.id)
    with pytest.raises(PermissionDenied):
        await create_model(control, asker, BODY)
