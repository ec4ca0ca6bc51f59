"""Events of the fleet on their way into the log: in order, in bounds, and what there was no room for is told with its count."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from types import SimpleNamespace
from typing import Self, cast
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keisan.control import telemetry_event
from keisan.control.context import CONTROL_ACTOR, Control
from keisan.control.telemetry_event import FleetEvents
from keisan.domain.errors import InvariantBroken, KeisanError, StorageUnavailable
from keisan.domain.event import Event, EventDraft
from keisan.domain.limits import FLEET_EVENTS_PER_SITE_MAX
from tests.control.people import list_events
from tests.factories import FixedClock


class Log:
    """A storage that takes events, refuses whole transactions, or does something while it commits."""

    def __init__(self) -> None:
        self.drafts: list[EventDraft] = []
        self.fault: KeisanError | None = None
        self.meanwhile: Callable[[], None] = lambda: None
        self._open: list[EventDraft] = []

    @property
    def events(self) -> "Log":
        return self

    def write(self) -> "Log":
        return self

    async def __aenter__(self) -> Self:
        self._open = []
        return self

    async def append(self, draft: EventDraft) -> None:
        self._open.append(draft)

    async def __aexit__(self, *_: object) -> None:
        self.meanwhile()
        if self.fault is not None:
            raise self.fault
        self.drafts += self._open


def draft(site: int, number: int = 0, action: str = "devices.failed") -> EventDraft:
    return EventDraft(CONTROL_ACTOR, action, UUID(int=site), {"number": str(number)})


def open_events(log: Log) -> FleetEvents:
    return FleetEvents(cast("Control", SimpleNamespace(clock=FixedClock(), storage=log)))


async def write_all(events: FleetEvents) -> None:
    while await events.write():
        pass


async def test_events_are_in_the_log_in_order(control: Control) -> None:
    events = FleetEvents(control)
    events.add([draft(1, 0), draft(2, 1), draft(1, 2)])
    await write_all(events)
    assert not await events.write()
    found: list[Event] = list(await list_events(control))
    assert [event.detail["number"] for event in found[-3:]] == ["0", "1", "2"]


async def test_an_outage_shorter_than_the_room_costs_nothing() -> None:
    log = Log()
    events = open_events(log)
    log.fault = StorageUnavailable("away")
    for number in range(5):
        events.add([draft(number, number)])
        assert not await events.write()
    assert (events.waiting_count, log.drafts) == (5, [])
    events.control.clock.instant += timedelta(seconds=6)  # type: ignore[attr-defined]  # a clock that is set by hand
    events.add([draft(9, 5)])
    log.fault = None
    await write_all(events)
    assert [each.detail["number"] for each in log.drafts] == list("012345")
    # What came late says when it happened.
    assert ["happened_at" in each.detail for each in log.drafts] == [True] * 5 + [False]


async def test_a_loud_site_loses_its_own_and_the_count_is_told(
    control: Control, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    log = Log()
    events = open_events(log)
    log.fault = StorageUnavailable("away")
    most = FLEET_EVENTS_PER_SITE_MAX
    events.add([draft(1, action="telemetry.unknown")])
    for number in range(most + 7):
        events.add([draft(2, number)])
        await events.write()
    assert events.waiting_count == most + 1
    log.fault = None
    await write_all(events)
    told, *kept = log.drafts
    assert (told.action, told.detail["count"], told.detail["devices.failed"]) == ("telemetry.events_lost", "7", "7")
    assert {"first_at", "last_at"} <= told.detail.keys()
    assert [each.detail["number"] for each in kept] == ["0", *(str(number) for number in range(7, most + 7))]
    # The process's log has them all the same, and the outage once.
    assert caplog.text.count("devices.failed") == 7
    assert caplog.text.count("telemetry.events_not_written") == 1
    # Told once.
    events.add([draft(3)])
    await write_all(events)
    assert log.drafts[-1].action == "devices.failed"


async def test_what_the_database_will_never_take_holds_up_nothing() -> None:
    log = Log()
    events = open_events(log)
    events.add([draft(1)])
    log.fault = InvariantBroken("never")
    assert not await events.write()
    log.fault = None
    events.add([draft(2, 1)])
    await write_all(events)
    assert [each.action for each in log.drafts] == ["telemetry.events_lost", "devices.failed"]


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["add", "write", "fail", "overtake"])), max_size=60))
async def test_every_event_is_written_or_counted_once(steps: list[tuple[int, str]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(telemetry_event, "FLEET_EVENTS_PER_SITE_MAX", 3)
        patch.setattr(telemetry_event, "FLEET_EVENTS_WAITING_MAX", 7)
        patch.setattr(telemetry_event, "FLEET_EVENTS_WRITTEN_MAX", 2)
        log = Log()
        events, added = open_events(log), 0

        def add(site: int, count: int = 1) -> None:
            nonlocal added
            events.add([draft(site, added + number) for number in range(count)])
            added += count

        for site, step in steps:
            if step == "add":
                add(site)
                continue
            log.fault = None if step == "write" else StorageUnavailable("away")
            if step == "overtake":
                log.meanwhile = partial(add, site, 9)
            await events.write()
            log.meanwhile = lambda: None
            assert events.waiting_count <= 7
            owners = Counter(each.draft.noun_id for each in events._waiting.values())
            assert all(count <= 3 for count in owners.values())
        log.fault = None
        await write_all(events)
    numbers = [int(each.detail["number"]) for each in log.drafts if each.action == "devices.failed"]
    lost = [int(each.detail["count"]) for each in log.drafts if each.action == "telemetry.events_lost"]
    assert numbers == sorted(set(numbers))
    assert len(numbers) + sum(lost) == added
