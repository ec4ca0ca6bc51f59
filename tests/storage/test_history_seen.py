"""Which frames were folded: known after a restart, twice is once, a torn line counts for nothing."""

from pathlib import Path

import numpy as np

from keisan.domain.history import WINDOW_MS, SequenceRanges, Window
from keisan.storage.base_history import JournalFrame
from keisan.storage.history_seen import SeenFolder
from tests.storage.history_world import DAY_START_MS, REGION, SITES, create_frames
from tests.telemetry.test_history_fold import Held

WINDOW = Window(REGION, DAY_START_MS)
KEY = (str(SITES[0]), "a")


def hold(frames: list[JournalFrame]) -> list[Held]:
    return [Held(each) for each in frames]


def test_what_was_folded_is_known(tmp_path: Path) -> None:
    frames = list(create_frames(np.random.default_rng(1), 20))
    SeenFolder(tmp_path).add(WINDOW, hold(frames[:10]))
    SeenFolder(tmp_path).add(WINDOW, hold(frames[:3] + frames[15:]))
    SeenFolder(tmp_path).add(Window(REGION, DAY_START_MS + WINDOW_MS), hold(frames[10:12]))
    assert SeenFolder(tmp_path).find(WINDOW) == {KEY: SequenceRanges(((0, 9), (15, 19)))}
    assert SeenFolder(tmp_path).find(Window("JP-13", DAY_START_MS)) == {}


def test_a_torn_line_is_none_and_breaks_no_other(tmp_path: Path) -> None:
    frames = list(create_frames(np.random.default_rng(1), 20))
    seen = SeenFolder(tmp_path)
    seen.add(WINDOW, hold(frames[:5]))
    (path,) = tmp_path.rglob("*.seen")
    whole = path.read_bytes()
    for torn in (b"{", whole[:-1]):
        path.write_bytes(whole + torn)
        assert seen.find(WINDOW) == {KEY: SequenceRanges(((0, 4),))}
    seen.add(WINDOW, hold(frames[5:7]))
    assert seen.find(WINDOW) == {KEY: SequenceRanges(((0, 6),))}


def test_old_days_are_forgotten(tmp_path: Path) -> None:
    seen = SeenFolder(tmp_path)
    seen.add(WINDOW, hold(list(create_frames(np.random.default_rng(1), 2))))
    seen.forget("2026-11-26")
    assert seen.find(WINDOW)
    seen.forget("2026-11-27")
    assert not seen.find(WINDOW)
