"""Budgets through the client."""

import pytest

from keisan.sdk import AsyncKeisan, BudgetCreate, InvalidInput, NotFound, PeriodKind, VersionMismatch
from tests.api.stage import Stage


async def test_create_update_list_and_delete(stage: Stage, admin: AsyncKeisan) -> None:
    body = BudgetCreate(currency="CNY", amount_nano=7, period=PeriodKind.MONTH, project_id=stage.ids["second"])
    created = await admin.budgets.create(body)
    assert await admin.budgets.get(created.id) == created
    changed = await admin.budgets.update(created, 8)
    assert (changed.amount_nano, changed.version) == (8, 2)
    with pytest.raises(VersionMismatch):
        await admin.budgets.delete(created)
    with pytest.raises(InvalidInput):
        await admin.budgets.update(changed, -1)
    assert [line.id async for line in admin.budgets.list()] == [stage.ids["budget"], created.id]
    assert await admin.budgets.delete(changed) == changed
    with pytest.raises(NotFound):
        await admin.budgets.get(created.id)
