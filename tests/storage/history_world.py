"""Frames of small sites for tests of history, from a seed."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

import numpy as np

from keisan.domain.history import FrameOrigin
from keisan.domain.ids import SiteId
from keisan.domain.sample import MISSING, SAMPLE_FIELDS, FrameHead
from keisan.kit.clock import from_milliseconds
from keisan.storage.base_history import JournalFrame

# A day's begin, as an instant in ms: 2026-11-26.
DAY_START_MS = 1_795_651_200_000
DAY_START = from_milliseconds(DAY_START_MS)
SITES = tuple(SiteId(UUID(int=place + 1)) for place in range(3))
REGION = "CN-SX"


def create_frame(source: np.random.Generator, head: FrameHead, *, site: int = 0, device_count: int = 5) -> JournalFrame:
    """Return a frame of random values within their bounds, some missing, some devices too."""
    numbers = np.sort(source.choice(device_count, source.integers(1, device_count + 1), replace=False)).astype(
        np.uint32
    )
    values = np.full((len(SAMPLE_FIELDS), len(numbers)), MISSING, np.int32)
    for place, each in enumerate(SAMPLE_FIELDS):
        if source.random() < 0.8:
            row = source.integers(each.least, each.most, len(numbers), np.int32, endpoint=True)
            values[place] = np.where(source.random(len(numbers)) < 0.2, MISSING, row)
    return JournalFrame(FrameOrigin(SITES[site], REGION), head, numbers, values)


def create_head(sequence: int, at_ms: int, incarnation: str = "a", period_ms: int = 10_000) -> FrameHead:
    """Return the head of a frame."""
    return FrameHead(incarnation, 1, sequence, at_ms, period_ms)


def create_frames(
    source: np.random.Generator, count: int, *, start_ms: int = DAY_START_MS, site: int = 0, device_count: int = 5
) -> Iterator[JournalFrame]:
    """Yield frames of a site every ten seconds, a little early or late."""
    for sequence in range(count):
        at_ms = start_ms + sequence * 10_000 + int(source.integers(0, 900))
        yield create_frame(source, create_head(sequence, at_ms), site=site, device_count=device_count)


def is_same(one: JournalFrame, other: JournalFrame) -> bool:
    """Tell whether two frames are equal, their arrays too."""
    nothing = np.empty(0, np.int32)
    plain = [replace(each, numbers=nothing.view(np.uint32), values=nothing) for each in (one, other)]
    return (
        (plain[0].origin, plain[0].head) == (plain[1].origin, plain[1].head)
        and np.array_equal(one.numbers, other.numbers)
        and np.array_equal(one.values, other.values)
    )
