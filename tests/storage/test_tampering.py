"""What a sabotaged nation's books are done to: it is done, and the guards stand again afterwards."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from keisan.domain.access import PlatformScope
from keisan.domain.errors import KeisanError
from keisan.domain.page import PageRequest
from keisan.kit.clock import SystemClock
from keisan.storage.sqlite import open_sqlite
from keisan.storage.tampering import add_to_balance, change_signatures
from tests.api.conftest import stage_template
from tests.api.stage import Stage, copy_stage
from tests.storage.rows import execute

__all__ = ["stage_template"]
EVERYTHING = PlatformScope()


async def test_balance_and_signatures_are_changed_and_nothing_else(
    stage_template: tuple[Stage, Path], tmp_path: Path
) -> None:
    path = tmp_path / "keisan.db"
    async with copy_stage(*stage_template, path) as stage:
        async with stage.storage.read() as view:
            accounts = (await view.accounts.list(EVERYTHING, PageRequest())).items
            entries = await view.entries.list(EVERYTHING, 0, 1000)
        organization_id = next(account.organization_id for account in accounts if account.organization_id)
        add_to_balance(path, organization_id, 7)
        change_signatures(path, "entry")
        async with stage.storage.read() as view:
            changed = (await view.accounts.list(EVERYTHING, PageRequest())).items
            broken = await view.entries.list(EVERYTHING, 0, 1000)
    assert sum(each.balance_nano for each in changed) == sum(each.balance_nano for each in accounts) + 7
    pairs = list(zip(broken, entries, strict=True))
    assert pairs
    assert all(now.signature != before.signature for now, before in pairs)
    assert [replace(now, signature=before.signature) for now, before in pairs] == list(entries)
    storage = open_sqlite(path, SystemClock())
    try:
        with pytest.raises(KeisanError):
            await execute(storage, text("UPDATE entry SET signature = x'00'"))
    finally:
        await storage.close()
