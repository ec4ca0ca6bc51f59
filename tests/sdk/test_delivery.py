"""Deliveries through the client."""

import pytest

from keisan.kit.ids import create_id
from keisan.sdk import AsyncKeisan, DeliveryState, NotFound, StateConflict
from tests.api.stage import Stage


async def test_dead_one_is_listed_and_asked_for_again(stage: Stage, admin: AsyncKeisan) -> None:
    [delivery] = [line async for line in admin.deliveries.list(stage.ids["webhook"])]
    assert (delivery.id, delivery.state) == (stage.ids["delivery"], DeliveryState.DEAD)
    wanted = await admin.deliveries.redeliver(delivery.webhook_id, delivery.id)
    assert wanted.state is DeliveryState.PENDING
    with pytest.raises(StateConflict):
        await admin.deliveries.redeliver(delivery.webhook_id, delivery.id)
    with pytest.raises(NotFound):
        await admin.deliveries.redeliver(create_id(), delivery.id)
