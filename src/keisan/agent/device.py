"""What an agent knows of its node's devices: read now and then, kept when a reading fails, and over restarts.

A driver that cannot tell makes its devices unknown, never gone; one that its tool no longer lists has failed.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from keisan.agent.document import read_document, write_document
from keisan.agent.driver_thread import DriverThread
from keisan.devices.base import DRIVER_WAIT_S, DeviceDriver
from keisan.domain.errors import DevicesUnreadable
from keisan.domain.limits import DEVICE_FACT_CHARACTERS_MAX, DEVICE_FACTS_MAX
from keisan.domain.verdict import Verdict
from keisan.kit.clock import Clock
from keisan.kit.observe import write_log, write_warning
from keisan.wire.device import DeviceReport
from keisan.wire.node import NodeReport

# Which devices there are changes with hands and screwdrivers, and asking takes a tool up to seconds.
INVENTORY_PERIOD_S = 15.0
ABSENT_FACT = "absent"
_ABSENT_TEXT = "its tool no longer lists it"
UNREAD_FACT = "unread"
Devices = tuple[DeviceReport, ...]


class DeviceBook:
    """The devices of one node. `changed` is set whenever what is known of them has changed."""

    def __init__(
        self,
        drivers: Mapping[str, DeviceDriver],
        node: NodeReport,
        path: Path,
        changed: asyncio.Event,
        wait_s: float = DRIVER_WAIT_S,
    ) -> None:
        self._drivers = drivers
        self._node = node
        self._path = path
        self.changed = changed
        self._wait_s = wait_s
        self._known = _load_known(path, drivers)
        self._unreadable: set[str] = set()
        self._threads: dict[str, DriverThread[Devices]] = {}

    def list_reports(self) -> tuple[DeviceReport, ...]:
        """Return every device once: what two drivers tell of is told by the first of them.

        Devices that sit in one slot are the same one; those that are no longer there are told apart by their ids alone.
        """
        # In the order of the drivers, and not in that in which they were done.
        told = [report for name in self._drivers for report in self._known.get(name, ())]
        found: dict[str, DeviceReport] = {}
        places: set[str] = set()
        for report in sorted(told, key=_is_absent):
            place = "" if _is_absent(report) else report.facts.get("pci_address", "")
            if report.hardware_id in found or place in places:
                continue
            found[report.hardware_id] = report
            places |= {place} - {""}
        return tuple(found.values())

    async def run(self, clock: Clock) -> None:
        """Read all drivers again and again, until cancelled."""
        while True:
            await clock.sleep(INVENTORY_PERIOD_S)
            await self.read()

    async def read(self) -> None:
        """Read all drivers once, each in a thread of its own, and keep what changed; one that hangs is not waited for long."""
        before = dict(self._known)
        async with asyncio.TaskGroup() as group:
            for name, driver in self._drivers.items():
                thread = self._threads.setdefault(name, DriverThread())
                group.create_task(self._read_driver(name, driver, thread))
        if self._known == before:
            return
        self.changed.set()
        try:
            await asyncio.to_thread(_save_known, self._path, self._known)
        except OSError as failure:
            write_warning("devices.not_kept", path=str(self._path), fault=str(failure))

    async def _read_driver(self, name: str, driver: DeviceDriver, thread: DriverThread[Devices]) -> None:
        known = self._known.get(name, ())
        try:
            found = await thread.read(lambda: _check(driver.read_devices(self._node)), self._wait_s)
        except DevicesUnreadable as failure:
            # Said once, of the first failure: what differs from one to the next is for how long it has been.
            if name not in self._unreadable:
                self._known[name] = tuple(_mark_unread(report, failure) for report in known)
                write_warning("devices.unreadable", driver=name, outside=failure.outside, inside=failure.inside)
            self._unreadable.add(name)
            return
        if name in self._unreadable:
            write_log("devices.readable", driver=name, devices=len(found))
            self._unreadable.discard(name)
        present = {report.hardware_id for report in found}
        absent = tuple(_mark_absent(report) for report in known if report.hardware_id not in present)
        self._known[name] = (*found, *absent)


def _check(found: Devices) -> Devices:
    """Return what a driver found; raises TypeError for what is no device: a driver that breaks its contract is unread."""
    if not all(isinstance(report, DeviceReport) for report in found):
        raise TypeError("expected devices")
    return tuple(found)


def _is_absent(report: DeviceReport) -> bool:
    return ABSENT_FACT in report.facts


def _judge(report: DeviceReport, verdict: Verdict) -> DeviceReport:
    """Return the report with this verdict; what has failed stays so until it is seen well."""
    return report if report.verdict is Verdict.FAILED else report.model_copy(update={"verdict": verdict})


def _mark_absent(report: DeviceReport) -> DeviceReport:
    told = _add_fact(report, ABSENT_FACT, _ABSENT_TEXT)
    return told.model_copy(update={"verdict": Verdict.FAILED})


def _mark_unread(report: DeviceReport, failure: DevicesUnreadable) -> DeviceReport:
    """Return the report as nobody knows it now, with the driver's own words."""
    reason = " ".join(str(failure).split())[:DEVICE_FACT_CHARACTERS_MAX]
    return _add_fact(_judge(report, Verdict.UNKNOWN), UNREAD_FACT, reason)


def _add_fact(report: DeviceReport, name: str, text: str) -> DeviceReport:
    marks = {known: said for known, said in report.facts.items() if known == ABSENT_FACT} | {name: text}
    others = [(known, said) for known, said in report.facts.items() if known not in (ABSENT_FACT, UNREAD_FACT)]
    return report.model_copy(update={"facts": dict(others[: DEVICE_FACTS_MAX - len(marks)]) | marks})


def _save_known(path: Path, known: Mapping[str, Iterable[DeviceReport]]) -> None:
    devices = {name: [report.model_dump(mode="json") for report in reports] for name, reports in known.items()}
    write_document(path, {"devices": devices})


def _load_known(path: Path, drivers: Mapping[str, DeviceDriver]) -> dict[str, tuple[DeviceReport, ...]]:
    """Return what was known before, as unknown until it is read again; nothing where that is lost, as it is read anew."""
    if not path.exists():
        return {}
    try:
        listed = _parse_known(read_document(path))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as failure:
        write_warning("devices.forgotten", path=str(path), fault=repr(failure))
        return {}
    # A driver that this release or these settings do not have says nothing of what it once found.
    return {
        name: tuple(_judge(report, Verdict.UNKNOWN) for report in reports)
        for name, reports in listed.items()
        if name in drivers
    }


def _parse_known(document: Mapping[str, object]) -> dict[str, tuple[DeviceReport, ...]]:
    kept = json.loads(json.dumps(document["devices"]))
    return {
        name: tuple(DeviceReport.model_validate_json(json.dumps(report)) for report in reports)
        for name, reports in kept.items()
    }
