"""Development: a page of capacity is kept each day, in place of what was kept before."""

import asyncio
from dataclasses import replace
from pathlib import Path

from keisan.control.capacity import OWN_SOURCES
from keisan.control.context import Control
from keisan.control.development import Development
from keisan.daemon.history import open_history
from keisan.daemon.history_settings import HistorySettings
from keisan.domain.capacity import CapacityKind
from keisan.kit.clock import SystemClock
from keisan.wire.capacity import CapacityView
from tests.deadline import wait_until_async
from tests.factories import FixedClock


async def test_a_day_has_one_page(control: Control, clock: FixedClock, tmp_path: Path) -> None:
    history = open_history(control, HistorySettings(), tmp_path)
    development = Development(control, history)
    await development.keep_page()
    await development.keep_page()
    await clock.sleep(86_400)
    await development.keep_page()
    pages = sorted((tmp_path / "files" / "capacity").iterdir())
    assert [each.name for each in pages] == ["2026-11-23.json", "2026-11-24.json"]
    view = CapacityView.model_validate_json(pages[0].read_bytes())
    assert set(view.kinds) == set(CapacityKind)
    assert not view.kinds[CapacityKind.CONNECTED].is_known
    assert {each.kind for each in OWN_SOURCES} == {CapacityKind.REGISTERED, CapacityKind.SURVEYED}


async def test_pages_are_kept_while_the_process_runs(control: Control, tmp_path: Path) -> None:
    own = replace(control, clock=SystemClock())
    development = Development(own, open_history(own, HistorySettings(), tmp_path))
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(development.run(stop))
        await wait_until_async(lambda: any(tmp_path.rglob("*-*-*.json")), "a page is kept")
        stop.set()
