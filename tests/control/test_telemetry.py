"""The fleet of a process: what comes in is checked, kept and counted; what changed becomes events; a start forgets nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import numpy as np
import pytest

from keisan.agent.frame_feed import FrameFeed
from keisan.control.context import Control
from keisan.control.telemetry import FleetWatch
from keisan.control.telemetry_stream import RollUpStreams
from keisan.domain.access import PlatformScope, Principal
from keisan.domain.challenge import ChallengeState, Workload
from keisan.domain.device import DeviceUse
from keisan.domain.errors import (
    InvalidInput,
    PermissionDenied,
    PlatformUnreachable,
    Postponed,
    StateConflict,
    StorageUnavailable,
    Unavailable,
)
from keisan.domain.frame import FrameFault, FrameOutcome
from keisan.domain.limits import FRAME_DEVICES_MIN, SITE_BURST_PERIODS, SITE_RATE_MULTIPLE
from keisan.domain.roll_up import CountName, Level, RollUp
from keisan.domain.sample import HEALTH_CODES, FrameHead
from keisan.domain.verdict import Verdict
from keisan.kit.clock import to_milliseconds
from keisan.storage.base import Storage
from keisan.telemetry.device_note import DeviceNotes
from keisan.telemetry.late_budget import LateBudget
from keisan.telemetry.live_site import SitePlace
from keisan.telemetry.reading import RollUpQuery, read_rollups
from keisan.telemetry.site_columns import SiteColumns
from keisan.wire.frame import Numbers, Values, decode_frame, encode_frame
from keisan.wire.inventory import Inventory, pack_inventory
from tests.factories import FixedClock, World, create_challenge
from tests.telemetry.fleet import PERIOD_MS, build_frame_body, build_head, build_inventory_body, build_values

COUNT = 4


class Sink:
    """Keeps what it is given, while there is room."""

    def __init__(self) -> None:
        self.has_room = True
        self.frames: list[tuple[SitePlace, FrameHead, int]] = []
        self.inventories: list[tuple[SitePlace, int]] = []

    def take_inventory(self, place: SitePlace, inventory: Inventory) -> None:
        self.inventories.append((place, inventory.device_count))

    def append(self, place: SitePlace, head: FrameHead, numbers: Numbers, values: Values) -> bool:
        assert values.shape[1] == len(numbers)
        if self.has_room:
            self.frames.append((place, head, len(numbers)))
        return self.has_room

    @property
    def sequences(self) -> list[int]:
        return [head.sequence for _, head, _ in self.frames]


@pytest.fixture
def watch(control: Control) -> FleetWatch:
    return FleetWatch(control, {"known-chip": 100}, Sink())


@pytest.fixture
def agent(world: World) -> Principal:
    return world.left.agent.to_principal()


def build_frame(watch: FleetWatch, sequence: int, *, back_ms: int = 0, failed: int = 0, **fields: Any) -> bytes:
    health = np.full(COUNT, HEALTH_CODES[Verdict.OK])
    health[:failed] = HEALTH_CODES[Verdict.FAILED]
    head = build_head(sequence, to_milliseconds(watch.control.clock.now()) - back_ms, **fields)
    return encode_frame(head, np.arange(COUNT, dtype=np.uint32), build_values(COUNT, health=health))


def count(watch: FleetWatch) -> dict[CountName, int]:
    watch.fleet.roll_up(watch.read_moment())
    [whole] = read_rollups(watch.fleet, RollUpQuery(Level.PLATFORM))
    return dict(whole.counts)


async def list_events(control: Control) -> list[tuple[str, dict[str, str]]]:
    async with control.storage.read() as view:
        return [(event.action, dict(event.detail)) for event in await view.events.list(PlatformScope(), 0, 100)]


async def renew(watch: FleetWatch, *, is_settled: bool) -> None:
    """Renew the picture and write what changed, as two tasks do."""
    watch.renew(is_settled=is_settled)
    while await watch.events.write():
        pass


async def test_a_site_s_story(watch: FleetWatch, agent: Principal, clock: FixedClock) -> None:
    mark = await watch.accept_inventory(agent, build_inventory_body(COUNT))
    assert (mark.incarnation, mark.version, mark.device_count) == ("first", 1, COUNT)
    assert watch.accept_frame(agent, build_frame(watch, 1)) is FrameOutcome.LIVE
    assert count(watch)[CountName.OK] == COUNT
    assert watch.accept_frame(agent, build_frame(watch, 1)) is FrameOutcome.DUPLICATE
    assert watch.accept_frame(agent, build_frame(watch, 0, back_ms=10_000)) is FrameOutcome.LATE
    assert isinstance(watch.sink, Sink)
    assert [(head.sequence, devices) for _, head, devices in watch.sink.frames] == [(1, COUNT), (0, COUNT)]
    assert [devices for _, devices in watch.sink.inventories] == [COUNT]


async def test_another_process_knows_who_is_unknown(watch: FleetWatch, agent: Principal, control: Control) -> None:
    await watch.accept_inventory(agent, build_inventory_body(COUNT))
    watch.accept_frame(agent, build_frame(watch, 1))
    second = FleetWatch(control, {"known-chip": 100})
    await second.load()
    found = count(second)
    assert (found[CountName.DEVICES], found[CountName.UNKNOWN], found[CountName.NOMINAL_GFLOPS]) == (COUNT, COUNT, 200)
    assert second.accept_frame(agent, build_frame(second, 2)) is FrameOutcome.LIVE
    assert count(second)[CountName.OK] == COUNT


async def test_nobody_but_a_site_s_agent_hands_in(watch: FleetWatch, world: World) -> None:
    gateway = world.gateway.to_principal()
    for principal in (gateway, replace(world.left.agent.to_principal(), site_id=None)):
        with pytest.raises(PermissionDenied):
            await watch.accept_inventory(principal, build_inventory_body(COUNT))
        with pytest.raises(PermissionDenied):
            watch.accept_frame(principal, b"")


async def test_a_frame_before_any_inventory_is_a_conflict(watch: FleetWatch, agent: Principal) -> None:
    with pytest.raises(StateConflict):
        watch.accept_frame(agent, build_frame(watch, 1))


async def test_refused_frames_are_counted_by_their_fault(watch: FleetWatch, agent: Principal) -> None:
    await watch.accept_inventory(agent, build_inventory_body(COUNT))
    for body, fault in (
        (b"nonsense", InvalidInput),
        (build_frame(watch, 1, incarnation="other"), StateConflict),
        (build_frame(watch, 1, device_count=COUNT, device_digest="of others"), StateConflict),
        (build_frame(watch, 1, period_ms=1), InvalidInput),
        (build_frame(watch, 1, back_ms=-3_600_000), InvalidInput),
    ):
        with pytest.raises(fault):
            watch.accept_frame(agent, body)
    [site] = watch.fleet.sites.values()
    counted = {fault: number for fault, number in site.counts.faults.items() if number}
    assert counted == dict.fromkeys(
        (
            FrameFault.MALFORMED,
            FrameFault.UNKNOWN_INVENTORY,
            FrameFault.OTHER_DEVICES,
            FrameFault.WRONG_PERIOD,
            FrameFault.FROM_THE_FUTURE,
        ),
        1,
    )
    assert count(watch)[CountName.UNKNOWN] == COUNT


async def test_late_frames_wait_and_live_ones_do_not(watch: FleetWatch, agent: Principal, clock: FixedClock) -> None:
    watch.late = LateBudget(samples_per_s=FRAME_DEVICES_MIN)
    await watch.accept_inventory(agent, build_inventory_body(COUNT))
    watch.accept_frame(agent, build_frame(watch, 9))
    assert watch.accept_frame(agent, build_frame(watch, 1, back_ms=80_000)) is FrameOutcome.LATE
    late = build_frame(watch, 2, back_ms=70_000)
    with pytest.raises(Postponed) as postponed:
        watch.accept_frame(agent, late)
    assert postponed.value.after_s == pytest.approx(1, abs=0.1)
    assert watch.accept_frame(agent, build_frame(watch, 10)) is FrameOutcome.LIVE
    clock.instant += timedelta(seconds=1)
    assert watch.accept_frame(agent, late) is FrameOutcome.LATE


async def test_what_is_no_news_pays_as_history_does(watch: FleetWatch, agent: Principal) -> None:
    watch.late = LateBudget(samples_per_s=FRAME_DEVICES_MIN)
    await watch.accept_inventory(agent, build_inventory_body(COUNT))
    # Nothing newer was seen, so by its number each of them is the newest.
    assert watch.accept_frame(agent, build_frame(watch, 1, back_ms=3 * PERIOD_MS + 1)) is FrameOutcome.LIVE
    with pytest.raises(Postponed):
        watch.accept_frame(agent, build_frame(watch, 2, back_ms=3 * PERIOD_MS + 1))
    assert watch.accept_frame(agent, build_frame(watch, 3, back_ms=3 * PERIOD_MS)) is FrameOutcome.LIVE


async def test_a_site_that_sends_a_hundred_a_second_is_held_to_its_rate(
    watch: FleetWatch, agent: Principal, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded, real = 0, decode_frame

    def count_decoded(body: bytes) -> tuple[FrameHead, Numbers, Values]:
        nonlocal decoded
        decoded += 1
        return real(body)

    monkeypatch.setattr("keisan.control.telemetry.decode_frame", count_decoded)
    await watch.accept_inventory(agent, build_inventory_body(COUNT))
    [site], seconds = watch.fleet.sites.values(), 120
    watch.accept_frame(agent, build_frame(watch, 0))
    for second in range(1, seconds + 1):
        clock.instant += timedelta(seconds=1)
        # New ones, the same again, nonsense, and such as are wrong: none may cost more than the rate.
        bodies = (
            build_frame(watch, second),
            build_frame(watch, 0),
            b"nonsense",
            build_frame(watch, second, period_ms=1),
        )
        for each in range(100):
            with suppress(Postponed, InvalidInput):
                watch.accept_frame(agent, bodies[(each + second) % 4])
    periods = seconds * 1000 / PERIOD_MS
    assert decoded <= SITE_RATE_MULTIPLE * periods + SITE_BURST_PERIODS + 1
    assert site.faults[FrameFault.OVER_RATE] == 1 + seconds * 100 - decoded
    # What it is held to is more than it needs, and its state is fresh.
    assert decoded >= SITE_RATE_MULTIPLE * periods
    assert count(watch)[CountName.UNKNOWN] == 0


async def test_a_site_that_keeps_its_pace_is_never_held_up_by_its_own_backlog(
    watch: FleetWatch, agent: Principal, clock: FixedClock
) -> None:
    watch.late = LateBudget(samples_per_s=10 * FRAME_DEVICES_MIN)
    await watch.accept_inventory(agent, build_inventory_body(COUNT))
    for period in range(100, 200):
        clock.instant += timedelta(milliseconds=PERIOD_MS)
        assert watch.accept_frame(agent, build_frame(watch, period)) is FrameOutcome.LIVE
        for late in range(4):
            try:
                watch.accept_frame(agent, build_frame(watch, late, back_ms=600_000))
            except Postponed:
                break


async def test_a_frame_that_history_has_no_room_for_is_live_and_comes_again(
    watch: FleetWatch, agent: Principal, clock: FixedClock
) -> None:
    sink = watch.sink
    assert isinstance(sink, Sink)
    await watch.accept_inventory(agent, build_inventory_body(COUNT))
    [site] = watch.fleet.sites.values()
    sink.has_room = False
    body = build_frame(watch, 5, failed=1)
    with pytest.raises(Postponed):
        watch.accept_frame(agent, body)
    assert count(watch)[CountName.FAILED] == 1
    assert site.counts.faults[FrameFault.HISTORY_FULL] == 1
    clock.instant += timedelta(seconds=10)
    # A late one that does not fit changes nothing and may come again too.
    late = build_frame(watch, 4, back_ms=20_000)
    for _ in range(2):
        with pytest.raises(Postponed):
            watch.accept_frame(agent, late)
        clock.instant += timedelta(seconds=1)
    sink.has_room = True
    assert watch.accept_frame(agent, build_frame(watch, 6)) is FrameOutcome.LIVE
    assert watch.accept_frame(agent, body) is FrameOutcome.LATE
    assert watch.accept_frame(agent, late) is FrameOutcome.LATE
    assert watch.accept_frame(agent, body) is FrameOutcome.DUPLICATE
    assert sink.sequences == [6, 5, 4]
    assert count(watch)[CountName.OK] == COUNT


class Way:
    """An agent's way to a platform in this process: whatever the API answers 429 or 503 to is tried again."""

    def __init__(self, watch: FleetWatch, agent: Principal) -> None:
        self.watch, self.agent = watch, agent
        self.is_cut = False

    async def send_inventory(self, body: bytes) -> None:
        await self.watch.accept_inventory(self.agent, body)

    async def send_frame(self, body: bytes) -> FrameOutcome:
        if self.is_cut:
            raise PlatformUnreachable("cut")
        try:
            return self.watch.accept_frame(self.agent, body)
        except Unavailable as fault:
            raise PlatformUnreachable(fault.outside) from fault


@pytest.mark.parametrize("seed", range(8))
async def test_what_agent_and_platform_agree_on_is_in_history_once(
    watch: FleetWatch, agent: Principal, clock: FixedClock, seed: int
) -> None:
    """History has room or not, the link is cut or not: in the end each frame was kept once, and the newest was live at once."""
    source, sink = np.random.default_rng(seed), watch.sink
    assert isinstance(sink, Sink)
    watch.late = LateBudget(samples_per_s=FRAME_DEVICES_MIN)
    way = Way(watch, agent)
    feed = FrameFeed(way, partial(build_inventory_body, COUNT))
    [first, last] = (1000, 1120)
    for sequence in range(first, last):
        clock.instant += timedelta(milliseconds=PERIOD_MS)
        is_calm = sequence > last - 60
        sink.has_room, way.is_cut = is_calm or source.random() < 0.5, not is_calm and source.random() < 0.3
        await feed.deliver(build_frame(watch, sequence))
        [site] = watch.fleet.sites.values() or [None]
        if not way.is_cut and site is not None:
            assert site.newest == sequence
    assert feed.waiting_frames == 0
    assert feed.refused_frames == 0
    assert sorted(sink.sequences) == list(range(first, last))


async def test_an_inventory_only_grows(watch: FleetWatch, agent: Principal, world: World) -> None:
    control = watch.control
    await watch.accept_inventory(agent, build_inventory_body(COUNT, version=2))
    with pytest.raises(StateConflict):
        await watch.accept_inventory(agent, build_inventory_body(COUNT, version=1))
    with pytest.raises(StateConflict):
        await watch.accept_inventory(agent, build_inventory_body(COUNT - 2, version=3))
    with pytest.raises(InvalidInput):
        await watch.accept_inventory(agent, b"nonsense")
    before = await list_events(control)
    await watch.accept_inventory(agent, build_inventory_body(COUNT, version=2))
    assert await list_events(control) == before
    mark = await watch.accept_inventory(agent, build_inventory_body(COUNT + 2, version=3))
    assert mark.device_count == COUNT + 2
    async with control.storage.read() as view:
        stored = await view.inventories.get(PlatformScope(), world.left.site.id)
    assert (stored.version, stored.device_count) == (3, COUNT + 2)


async def test_what_changes_becomes_events(watch: FleetWatch, agent: Principal, clock: FixedClock) -> None:
    await watch.accept_inventory(agent, build_inventory_body(COUNT))
    known = len(await list_events(watch.control))
    watch.accept_frame(agent, build_frame(watch, 1))
    await renew(watch, is_settled=False)
    assert len(await list_events(watch.control)) == known
    watch.accept_frame(agent, build_frame(watch, 2, failed=2))
    await renew(watch, is_settled=False)
    [(action, detail)] = (await list_events(watch.control))[known:]
    assert (action, detail) == ("devices.failed", {"count": "2", "first": "device-0, device-1"})
    clock.instant += timedelta(seconds=31)
    await renew(watch, is_settled=False)
    [(action, detail)] = (await list_events(watch.control))[known + 1 :]
    assert action == "telemetry.unknown"
    assert detail["region"]
    watch.accept_frame(agent, build_frame(watch, 3))
    await renew(watch, is_settled=False)
    assert [event[0] for event in (await list_events(watch.control))[known + 2 :]] == ["telemetry.ok"]


async def test_a_start_is_no_news_until_silence_is(watch: FleetWatch, agent: Principal) -> None:
    await watch.accept_inventory(agent, build_inventory_body(COUNT))
    known = len(await list_events(watch.control))
    await renew(watch, is_settled=False)
    assert len(await list_events(watch.control)) == known
    await renew(watch, is_settled=True)
    await renew(watch, is_settled=True)
    assert [event[0] for event in (await list_events(watch.control))[known:]] == ["telemetry.unknown"]


class Turns(FixedClock):
    """Lets the others run whenever somebody waits, does what is due by the turn, and sets `stop` after so many."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count, self.stop = count, asyncio.Event()
        self.waits_s: list[float] = []
        self.acts: dict[int, Callable[[], object]] = {}

    async def sleep(self, duration_s: float) -> None:
        self.waits_s.append(duration_s)
        await super().sleep(duration_s)
        turn = len(self.waits_s)
        self.acts.get(turn, lambda: None)()
        if turn == self.count:
            self.stop.set()
        # What is awake has its turn, and what that wakes.
        for _ in range(10):
            await asyncio.sleep(0)


async def test_the_loop_renews_each_second_until_it_is_stopped(
    control: Control, agent: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keisan.control.telemetry_event.END_S_MAX", 30)
    clock = Turns(40)
    watch = FleetWatch(replace(control, clock=clock), {})
    await watch.accept_inventory(agent, build_inventory_body(COUNT))
    woken = watch.renewed
    await watch.run(clock.stop)
    assert woken.is_set()
    assert clock.waits_s == [1.0] * 40
    assert watch.fleet.picture.taken.monotonic_ms == 39_000
    assert (await list_events(control))[-1][0] == "telemetry.unknown"


class HangingStorage:
    """A database that neither answers nor refuses, until it is `back`."""

    def __init__(self, real: Storage) -> None:
        self.real, self.back, self.asked = real, asyncio.Event(), list[str]()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Any]:
        self.asked.append("read")
        await self.back.wait()
        async with self.real.read() as view:
            yield view

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Any]:
        self.asked.append("write")
        await self.back.wait()
        async with self.real.write() as transaction:
            yield transaction


async def test_a_database_that_hangs_holds_up_no_verdict_and_no_stream(
    control: Control, agent: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Turns take no time: all that the database is told, it is told after the last one.
    monkeypatch.setattr("keisan.control.telemetry_event.END_S_MAX", 30)
    minute = Turns(90)
    watch = FleetWatch(replace(control, clock=minute), {})
    await watch.accept_inventory(agent, build_inventory_body(COUNT))
    known = len(await list_events(control))
    storage = HangingStorage(control.storage)
    hanging = replace(control, clock=minute, storage=storage)  # type: ignore[arg-type]  # nothing else is asked for
    watch.control = watch.events.control = hanging
    streams, told = RollUpStreams(), list[tuple[int, Verdict]]()

    async def follow() -> None:
        def encode(rollup: RollUp) -> bytes:
            return str(rollup.verdict).encode()

        async for piece in streams.follow(watch, RollUpQuery(Level.SITE), encode):
            if piece is not None and piece.items:
                told.append((watch.fleet.picture.taken.monotonic_ms // 1000, Verdict(piece.items[0].decode())))

    minute.acts = {
        5: lambda: watch.accept_frame(agent, build_frame(watch, 1)),
        20: lambda: watch.accept_frame(agent, build_frame(watch, 2, failed=COUNT)),
        80: storage.back.set,
    }
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        following = group.create_task(follow())
        await watch.run(minute.stop)
        following.cancel()
    # Each in its second, the last 30 s after the last frame; the database is asked once by each task.
    assert told == [(0, Verdict.UNKNOWN), (5, Verdict.OK), (20, Verdict.FAILED), (51, Verdict.UNKNOWN)]
    assert storage.asked[:2] == ["read", "write"]
    events = (await list_events(control))[known:]
    assert [action for action, _ in events] == ["devices.failed", "telemetry.failed", "telemetry.unknown"]
    assert all("happened_at" in detail for _, detail in events)


async def test_an_end_does_not_wait_for_a_database_that_hangs(
    control: Control, agent: Principal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("keisan.control.telemetry_event.END_S_MAX", 0.05)
    clock = Turns(40)
    watch = FleetWatch(replace(control, clock=clock), {})
    await watch.accept_inventory(agent, build_inventory_body(COUNT))
    known = len(await list_events(control))
    storage = HangingStorage(control.storage)
    watch.events.control = replace(control, storage=storage)  # type: ignore[arg-type]  # nothing else is asked for
    async with asyncio.timeout(30):
        await watch.run(clock.stop)
    assert len(await list_events(control)) == known
    assert "telemetry.events_lost" in caplog.text


async def test_what_cannot_be_read_or_written_stops_nothing(control: Control, agent: Principal) -> None:
    clock = Turns(40)
    watch = FleetWatch(replace(control, clock=clock), {})
    await watch.accept_inventory(agent, build_inventory_body(COUNT))

    class Away:
        def write(self) -> object:
            raise StorageUnavailable("the database is away")

        read = write

    away = replace(control, clock=clock, storage=Away())  # type: ignore[arg-type]  # nothing else is asked for
    watch.control = watch.events.control = away
    await watch.run(clock.stop)
    assert count(watch)[CountName.UNKNOWN] == COUNT
    assert watch.events.losses.counts == {"telemetry.unknown": 1}


async def test_only_sites_whose_notes_changed_are_touched(
    watch: FleetWatch, agent: Principal, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await watch.accept_inventory(agent, build_inventory_body(COUNT))
    written, real = list[int](), DeviceNotes.write

    def write(notes: DeviceNotes, columns: SiteColumns) -> bool:
        written.append(len(notes.closed))
        return real(notes, columns)

    monkeypatch.setattr(DeviceNotes, "write", write)
    await watch.note_devices()
    device = replace(world.left.device, hardware_id="device-1", use=DeviceUse.CORDONED, version=2)
    async with watch.control.storage.write() as transaction:
        await transaction.devices.update(device)
    await watch.note_devices()
    await watch.note_devices()
    assert written == [1]
    async with watch.control.storage.write() as transaction:
        await transaction.devices.update(replace(device, use=DeviceUse.OPEN, version=3))
    await watch.note_devices()
    assert written == [1, 0]
    assert count(watch)[CountName.CORDONED] == 0


async def test_a_start_and_another_inventory_know_the_notes(
    watch: FleetWatch, agent: Principal, world: World, control: Control
) -> None:
    await watch.accept_inventory(agent, build_inventory_body(COUNT))
    device = replace(world.left.device, hardware_id="device-5", use=DeviceUse.CORDONED, version=2)
    async with control.storage.write() as transaction:
        await transaction.devices.update(device)
    second = FleetWatch(control, {})
    await second.load()
    assert count(second)[CountName.CORDONED] == 0
    await second.accept_inventory(agent, build_inventory_body(COUNT + 2, version=2))
    assert count(second)[CountName.CORDONED] == 1
    await second.accept_inventory(agent, build_inventory_body(COUNT + 2, incarnation="second"))
    assert count(second)[CountName.CORDONED] == 1


async def test_what_people_and_challenges_say_of_devices_is_in_the_sums(
    watch: FleetWatch, agent: Principal, world: World
) -> None:
    await watch.accept_inventory(agent, build_inventory_body(COUNT))
    device = replace(world.left.device, hardware_id="device-1", use=DeviceUse.CORDONED, version=2)
    judged = {"state": ChallengeState.JUDGED, "verdict": Verdict.OK, "judged_at": watch.control.clock.now()}
    async with watch.control.storage.write() as transaction:
        await transaction.devices.update(device)
        for workload, rate_per_s in ((Workload.FP32, 3 * 10**9), (Workload.FP16, 9 * 10**9), (Workload.MEMORY, 10**12)):
            made = create_challenge(device, **judged, rate_per_s=rate_per_s)
            await transaction.challenges.insert(replace(made, work=replace(made.work, workload=workload)))
    await watch.note_devices()
    found = count(watch)
    assert found[CountName.CORDONED] == 1
    # By FP16, where it was challenged in that.
    assert (found[CountName.MEASURED_GFLOPS], found[CountName.MEASURED_DEVICES]) == (9, 1)


async def test_a_retired_device_is_in_no_sum_until_it_is_reinstated(
    watch: FleetWatch, agent: Principal, world: World
) -> None:
    await watch.accept_inventory(agent, build_inventory_body(COUNT))
    watch.accept_frame(agent, build_frame_body(1))
    device = replace(world.left.device, hardware_id="device-1", use=DeviceUse.RETIRED, version=2)
    async with watch.control.storage.write() as transaction:
        await transaction.devices.update(device)
    await watch.note_devices()
    found = count(watch)
    assert (found[CountName.DEVICES], found[CountName.OK], found[CountName.CORDONED]) == (COUNT - 1, COUNT - 1, 0)
    # Frames go on to carry it, and a grown inventory knows its number still.
    watch.accept_frame(agent, build_frame_body(2))
    await watch.accept_inventory(agent, build_inventory_body(COUNT + 1, version=2))
    assert count(watch)[CountName.DEVICES] == COUNT
    async with watch.control.storage.write() as transaction:
        await transaction.devices.update(replace(device, use=DeviceUse.CORDONED, version=3))
    await watch.note_devices()
    found = count(watch)
    assert (found[CountName.DEVICES], found[CountName.CORDONED]) == (COUNT + 1, 1)


async def test_an_inventory_that_cannot_be_read_any_more_stops_no_start(
    watch: FleetWatch, agent: Principal, control: Control, world: World
) -> None:
    await watch.accept_inventory(agent, build_inventory_body(COUNT))
    async with control.storage.write() as transaction:
        stored = await transaction.inventories.get(PlatformScope(), world.left.site.id)
        await transaction.inventories.put(replace(stored, body=pack_inventory(b"of an earlier release")))
    second = FleetWatch(control, {})
    await second.load()
    assert second.fleet.sites == {}
    await second.accept_inventory(agent, build_inventory_body(COUNT))
    assert second.accept_frame(agent, build_frame(second, 1)) is FrameOutcome.LIVE


async def test_two_inventories_at_once_are_taken_one_after_the_other(watch: FleetWatch, agent: Principal) -> None:
    bodies = [build_inventory_body(COUNT + grown, version=1 + grown) for grown in range(5)]
    results = await asyncio.gather(
        *(watch.accept_inventory(agent, body) for body in reversed(bodies)), return_exceptions=True
    )
    assert [type(result) for result in results[1:]] == [StateConflict] * 4
    assert count(watch)[CountName.DEVICES] == COUNT + 4
