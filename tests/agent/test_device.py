"""What an agent knows of its devices: never gone because a reading failed, never well because nobody looked."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from keisan.agent.device import ABSENT_FACT, INVENTORY_PERIOD_S, UNREAD_FACT, DeviceBook
from keisan.devices.base import DeviceSample
from keisan.domain.errors import DevicesUnreadable
from keisan.domain.limits import DEVICE_FACTS_MAX
from keisan.domain.verdict import Verdict
from keisan.wire.device import DeviceReport
from keisan.wire.node import NodeReport
from tests.agent.site_fakes import NODE
from tests.deadline import wait_until_async
from tests.factories import FixedClock


def build_device(hardware_id: str, place: str = "", **changes: object) -> DeviceReport:
    values: dict[str, object] = {
        "hardware_id": hardware_id,
        "node_hardware_id": NODE.hardware_id,
        "chip": "nvidia-h20",
        "name": "a card",
        "memory_bytes": 1,
        "verdict": Verdict.OK,
        "facts": {"pci_address": place} if place else {},
    }
    return DeviceReport.model_validate(values | changes)


class ToldDriver:
    """Finds what it is told, or fails."""

    def __init__(self, name: str, *devices: DeviceReport) -> None:
        self.name = name
        self.devices: tuple[DeviceReport, ...] | None = devices
        self.readings = 0

    def read_devices(self, _node: NodeReport) -> tuple[DeviceReport, ...]:
        self.readings += 1
        if self.devices is None:
            raise DevicesUnreadable("the tool hangs")
        return self.devices

    def read_samples(self, *, is_dear: bool) -> tuple[DeviceSample, ...]:
        raise DevicesUnreadable(f"nobody asks for values here, dear or not: {is_dear}")


def build_book(path: Path, *drivers: ToldDriver) -> tuple[DeviceBook, asyncio.Event]:
    changed = asyncio.Event()
    return DeviceBook({driver.name: driver for driver in drivers}, NODE, path, changed), changed


def judge(book: DeviceBook) -> Mapping[str, Verdict]:
    return {report.hardware_id: report.verdict for report in book.list_reports()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "devices.json"


async def test_a_failed_reading_makes_unknown_and_not_gone(path: Path) -> None:
    driver, other = ToldDriver("a", build_device("d0"), build_device("d1")), ToldDriver("b", build_device("d2"))
    book, changed = build_book(path, driver, other)
    await book.read()
    assert judge(book) == {"d0": Verdict.OK, "d1": Verdict.OK, "d2": Verdict.OK}
    known, driver.devices = driver.devices, None
    changed.clear()
    await book.read()
    assert judge(book) == {"d0": Verdict.UNKNOWN, "d1": Verdict.UNKNOWN, "d2": Verdict.OK}
    assert changed.is_set()
    driver.devices = known
    await book.read()
    assert set(judge(book).values()) == {Verdict.OK}


async def test_a_card_that_fell_off_the_bus_has_failed_and_may_come_back(path: Path) -> None:
    driver = ToldDriver("a", build_device("d0", "p0"), build_device("d1", "p1"))
    book, _ = build_book(path, driver)
    await book.read()
    driver.devices = (build_device("d0", "p0"),)
    await book.read()
    assert judge(book) == {"d0": Verdict.OK, "d1": Verdict.FAILED}
    assert next(each.facts["absent"] for each in book.list_reports() if each.hardware_id == "d1")
    driver.devices = None
    await book.read()
    assert judge(book) == {"d0": Verdict.UNKNOWN, "d1": Verdict.FAILED}
    driver.devices = (build_device("d0", "p0"), build_device("d1", "p1"))
    await book.read()
    assert judge(book) == {"d0": Verdict.OK, "d1": Verdict.OK}
    assert all("absent" not in each.facts for each in book.list_reports())


async def test_a_card_in_the_slot_of_another_does_not_hide_that_it_is_gone(path: Path) -> None:
    driver = ToldDriver("a", build_device("old", "p0"))
    book, _ = build_book(path, driver)
    await book.read()
    driver.devices = (build_device("new", "p0"),)
    await book.read()
    assert judge(book) == {"new": Verdict.OK, "old": Verdict.FAILED}


async def test_one_device_that_two_drivers_find_is_told_once_by_the_first(path: Path) -> None:
    first = ToldDriver("first", build_device("uuid-0", "p0", name="first"), build_device("uuid-1", name="first"))
    second = ToldDriver("second", build_device("serial-0", "p0", name="second"), build_device("uuid-1", name="second"))
    book, _ = build_book(path, first, second)
    await book.read()
    assert {report.hardware_id: report.name for report in book.list_reports()} == {"uuid-0": "first", "uuid-1": "first"}


async def test_what_was_known_is_known_after_a_restart_and_not_believed(path: Path) -> None:
    driver = ToldDriver("a", build_device("d0"), build_device("d1", verdict=Verdict.FAILED))
    book, _ = build_book(path, driver)
    await book.read()
    again, _ = build_book(path, driver)
    assert judge(again) == {"d0": Verdict.UNKNOWN, "d1": Verdict.FAILED}
    driver.devices = (build_device("d0"),)
    await again.read()
    assert judge(again) == {"d0": Verdict.OK, "d1": Verdict.FAILED}


async def test_a_driver_that_is_no_longer_there_tells_nothing(path: Path) -> None:
    book, _ = build_book(path, ToldDriver("a", build_device("d0")))
    await book.read()
    again, _ = build_book(path, ToldDriver("b"))
    assert again.list_reports() == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"schema_version": 1}',
        '{"schema_version": 1, "devices": [1]}',
        '{"schema_version": 1, "devices": {"a": [{"x": 1}]}}',
    ],
)
async def test_a_broken_file_is_read_anew(path: Path, text: str) -> None:
    path.write_text(text)
    book, _ = build_book(path, ToldDriver("a", build_device("d0")))
    assert book.list_reports() == ()
    await book.read()
    assert judge(book) == {"d0": Verdict.OK}


async def test_what_did_not_change_is_neither_told_nor_written(path: Path) -> None:
    book, changed = build_book(path, ToldDriver("a", build_device("d0")))
    await book.read()
    changed.clear()
    path.unlink()
    await book.read()
    assert not changed.is_set()
    assert not path.exists()


async def test_a_disk_that_takes_nothing_stops_no_report(tmp_path: Path) -> None:
    book, _ = build_book(tmp_path / "none" / "devices.json", ToldDriver("a", build_device("d0")))
    await book.read()
    assert judge(book) == {"d0": Verdict.OK}


async def test_facts_stay_within_their_bound(path: Path) -> None:
    driver = ToldDriver("a", build_device("d0", facts={f"f{n}": "x" for n in range(DEVICE_FACTS_MAX)}))
    book, _ = build_book(path, driver)
    await book.read()
    driver.devices = ()
    await book.read()
    (report,) = book.list_reports()
    assert len(report.facts) == DEVICE_FACTS_MAX


async def test_it_is_read_again_and_again(path: Path) -> None:
    driver = ToldDriver("a", build_device("d0"))
    book, changed = build_book(path, driver)
    clock = FixedClock()

    async with asyncio.TaskGroup() as group:
        running = group.create_task(book.run(clock))
        await changed.wait()
        running.cancel()
    assert driver.readings == 1
    assert clock.monotonic_s() == INVENTORY_PERIOD_S


async def test_of_two_drivers_the_first_named_is_believed_however_long_it_takes(path: Path) -> None:
    read = threading.Event()

    class SlowDriver(ToldDriver):
        def read_devices(self, node: NodeReport) -> tuple[DeviceReport, ...]:
            assert read.wait(10)
            return super().read_devices(node)

    class FastDriver(ToldDriver):
        def read_devices(self, node: NodeReport) -> tuple[DeviceReport, ...]:
            # It is done once the event loop has taken its answer; the other waits for that a little longer.
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).add_done_callback(
                lambda _: loop.call_later(0.05, read.set)
            )
            return super().read_devices(node)

    loop = asyncio.get_running_loop()
    drivers = (
        SlowDriver("slow", build_device("d0", name="by slow")),
        FastDriver("fast", build_device("d0", name="by fast")),
    )
    book, _ = build_book(path, *drivers)
    await book.read()
    assert [report.name for report in book.list_reports()] == ["by slow"]


async def test_a_driver_that_hangs_or_fails_in_any_way_stops_no_other_and_its_reason_is_told(path: Path) -> None:
    free = threading.Event()

    class Failing(ToldDriver):
        act: Callable[[], object] = staticmethod(lambda: None)

        def read_devices(self, node: NodeReport) -> tuple[DeviceReport, ...]:
            found = super().read_devices(node)
            self.act()
            return found

    def fail() -> None:
        raise ZeroDivisionError

    hanging, raising, good = (Failing(name, build_device(name)) for name in ("hanging", "raising", "good"))
    changed = asyncio.Event()
    book = DeviceBook({each.name: each for each in (hanging, raising, good)}, NODE, path, changed, wait_s=2)
    await book.read()
    hanging.act, raising.act = lambda: free.wait(30), fail
    await book.read()
    assert judge(book) == {"hanging": Verdict.UNKNOWN, "raising": Verdict.UNKNOWN, "good": Verdict.OK}
    reasons = {report.hardware_id: report.facts.get(UNREAD_FACT) for report in book.list_reports()}
    assert reasons == {
        "hanging": "the driver did not answer within 2 s",
        "raising": "the driver failed: ZeroDivisionError [ZeroDivisionError()]",
        "good": None,
    }
    # Said again in other words it is no news, and one that hangs is not asked again.
    changed.clear()
    await book.read()
    assert not changed.is_set()
    assert hanging.readings == 2
    free.set()
    hanging.act = raising.act = lambda: None
    thread = book._threads["hanging"]  # whether the thread is done shows nowhere else
    await wait_until_async(lambda: not thread.is_busy, "it answers")
    await book.read()
    assert set(judge(book).values()) == {Verdict.OK}
    assert not any(UNREAD_FACT in report.facts for report in book.list_reports())


async def test_why_it_was_not_read_is_no_fact_of_a_device_that_is_gone(path: Path) -> None:
    driver = ToldDriver("a", build_device("d0", facts={f"f{n}": "x" for n in range(DEVICE_FACTS_MAX)}))
    book, _ = build_book(path, driver)
    await book.read()
    driver.devices = None
    await book.read()
    (report,) = book.list_reports()
    assert (report.facts[UNREAD_FACT], len(report.facts)) == ("the tool hangs", DEVICE_FACTS_MAX)
    driver.devices = ()
    await book.read()
    (report,) = book.list_reports()
    assert (UNREAD_FACT in report.facts, ABSENT_FACT in report.facts, report.verdict) == (False, True, Verdict.FAILED)


@pytest.mark.parametrize("found", [None, 5, ["a device"], [None]], ids=repr)
async def test_what_is_no_device_is_the_driver_s_failure(path: Path, found: object) -> None:
    driver, other = ToldDriver("a", build_device("d0")), ToldDriver("b", build_device("d1"))
    book, _ = build_book(path, driver, other)
    await book.read()
    driver.read_devices = lambda _node: found  # type: ignore[method-assign,assignment,return-value]  # it breaks its contract
    await book.read()
    assert judge(book) == {"d0": Verdict.UNKNOWN, "d1": Verdict.OK}
