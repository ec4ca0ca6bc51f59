"""Events through the client: all of them, in order."""

import pytest

from keisan.sdk import AsyncKeisan


async def test_all_events_come_in_order(admin: AsyncKeisan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keisan.sdk.event.PAGE_ITEMS_MAX", 3)
    sequences = [event.sequence async for event in admin.events.list()]
    assert len(sequences) > 3
    assert sequences == list(range(1, len(sequences) + 1))
    assert [event.sequence async for event in admin.events.list(after=2)] == sequences[2:]
