"""Fixtures of telemetry: a keeper of history on a folder, and frames of two sites."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from keisan.domain.history import MINUTE_MS
from keisan.storage.base_history import JournalFrame
from tests.factories import FixedClock
from tests.storage.history_world import DAY_START, DAY_START_MS, create_frame, create_frames, create_head
from tests.telemetry.history_stage import HistoryStage


@pytest.fixture
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for no disk: a process that ends leaves what it wrote, and no power is cut here."""
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, lambda _: None)


@pytest.fixture
def world(unsynced: None, tmp_path: Path) -> Iterator[HistoryStage]:  # wanted for what it does
    """A keeper that has kept nothing yet."""
    opened = HistoryStage(tmp_path, FixedClock(DAY_START))
    yield opened
    opened.journal.close()


@pytest.fixture
def frames() -> list[JournalFrame]:
    """Return two hours and a half of two sites, the second one with more than a block of devices."""
    source = np.random.default_rng(11)
    return [
        *create_frames(source, 150, start_ms=DAY_START_MS),
        *(
            create_frame(source, create_head(n, DAY_START_MS + n * 5 * MINUTE_MS), site=1, device_count=260)
            for n in range(30)
        ),
    ]
