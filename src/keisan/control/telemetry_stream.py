"""Live roll-ups as they change: to each reader first all, then each second what differs from what it was told last.

Nothing is queued. A reader that is slow is told the newest when it comes back, so it skips seconds and holds up nobody; what
readers of the same thing are told is made once for all of them.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from keisan.control.telemetry import FleetWatch
from keisan.domain.errors import InvalidInput, Postponed
from keisan.domain.limits import STREAM_GROUPS_MAX, STREAM_HEARTBEAT_S, STREAMS_OPEN_MAX
from keisan.domain.roll_up import RollUp
from keisan.telemetry.live import Picture
from keisan.telemetry.reading import RollUpQuery, read_rollups

Encode = Callable[[RollUp], bytes]
Items = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class StreamPiece:
    """Roll-ups as of `taken_ms`, in ms since 1970, each encoded: all of them, or those that changed."""

    taken_ms: int
    is_whole: bool
    items: tuple[bytes, ...]


@dataclass(slots=True)
class Lane:
    """What all readers of one query are told: `items` of `picture`, and what changed since those before."""

    picture: Picture
    items: Items
    before: Items | None = None
    change: StreamPiece | None = None

    def build_piece(self, known: Items | None) -> StreamPiece:
        """Return what leads a reader from what it knows to what there is; what has gone is told by telling all."""
        if known is not None and known is self.before and self.change is not None:
            return self.change
        taken_ms = self.picture.taken.wall_ms
        if known is None or not known.keys() <= self.items.keys():
            return StreamPiece(taken_ms, is_whole=True, items=tuple(self.items.values()))
        changed = tuple(item for key, item in self.items.items() if known.get(key) != item)
        piece = StreamPiece(taken_ms, is_whole=False, items=changed)
        if known is self.before:
            self.change = piece
        return piece


@dataclass(slots=True)
class RollUpStreams:
    """The open streams of this process; belongs to the event loop's thread."""

    open_count: int = 0
    _lanes: dict[RollUpQuery, Lane] = field(default_factory=dict)

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Count a stream as open; raises Postponed if there are STREAMS_OPEN_MAX."""
        if self.open_count >= STREAMS_OPEN_MAX:
            raise Postponed(f"{STREAMS_OPEN_MAX} streams are open, which is all there may be")
        self.open_count += 1
        try:
            yield
        finally:
            self.open_count -= 1

    async def follow(
        self, watch: FleetWatch, query: RollUpQuery, encode: Encode
    ) -> AsyncGenerator[StreamPiece | None, None]:
        """Yield all, then changes as they come, and None where for STREAM_HEARTBEAT_S nothing did; ends with the process.

        Raises as read_rollups does, and InvalidInput for more than STREAM_GROUPS_MAX of a level.
        """
        known: Items | None = None
        clock = watch.control.clock
        told_s = clock.monotonic_s()
        while not watch.is_closing:
            lane = self._renew_lane(watch, query, encode)
            piece = lane.build_piece(known)
            known = lane.items
            is_due = clock.monotonic_s() - told_s >= STREAM_HEARTBEAT_S
            if piece.is_whole or piece.items or is_due:
                told_s = clock.monotonic_s()
                yield piece if piece.is_whole or piece.items else None
            # The picture may have been renewed while the reader took its time.
            if watch.fleet.picture is lane.picture and not watch.is_closing:
                with suppress(TimeoutError):
                    async with asyncio.timeout(STREAM_HEARTBEAT_S):
                        await watch.renewed.wait()

    def _renew_lane(self, watch: FleetWatch, query: RollUpQuery, encode: Encode) -> Lane:
        lane = self._lanes.get(query)
        picture = watch.fleet.picture
        if lane is not None and lane.picture is picture:
            return lane
        rollups = read_rollups(watch.fleet, query)
        if len(rollups) > STREAM_GROUPS_MAX:
            text = f"a level of {len(rollups)} is more than a stream takes ({STREAM_GROUPS_MAX}); read it as a list"
            raise InvalidInput(text, "level")
        before = None if lane is None else lane.items
        items = {_name_rollup(rollup): encode(rollup) for rollup in rollups}
        if len(self._lanes) > STREAMS_OPEN_MAX:
            self._lanes.clear()
        self._lanes[query] = Lane(picture, items, before)
        return self._lanes[query]


def _name_rollup(rollup: RollUp) -> str:
    return f"{rollup.provider_id}/{rollup.site_id}/{rollup.name}"
