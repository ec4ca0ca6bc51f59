"""A driver that asks a maker's command-line tool. One for each tool, so that one that hangs takes no other with it.

What a tool prints and nobody knows becomes an unknown device with all that it says, never nothing.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from keisan.devices.base import READ_S_MAX, DeviceSample
from keisan.devices.identity import identify_readings
from keisan.devices.reading import encode_health, keep_values
from keisan.devices.recognize import recognize
from keisan.devices.tool import DeviceReading, Query, Tool, Way, choose_worse, merge_readings
from keisan.devices.tool_run import ToolOutput, ToolRunner
from keisan.devices.vendors.unknown import describe_unknown, keep_raw
from keisan.domain.device import UNKNOWN_CHIP
from keisan.domain.errors import DevicesUnreadable
from keisan.domain.limits import DEVICE_FACT_CHARACTERS_MAX
from keisan.domain.sample import SampleName
from keisan.domain.verdict import Verdict
from keisan.kit.clock import Clock
from keisan.wire.device import DeviceReport
from keisan.wire.node import NodeReport

# A catalogue's id for a product's name, None for a name that it does not have.
ChipFinder = Callable[[str], str | None]
# What tools say that found no device at all; any other failure leaves open which devices there are.
_NONE_FOUND: Final = re.compile(
    r"no (supported )?(devices?|gpus?|cards?|xpus?|npus?)( were| was| are)? (found|detected|available)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What one round of asking told; `unknown` is a text that nobody knows."""

    way: Way
    readings: tuple[DeviceReading, ...]
    unknown: str = ""


class ToolDriver:
    """Devices as one command tells of them. It may be asked from several threads at once."""

    def __init__(self, tool: Tool, runner: ToolRunner, find_chip: ChipFinder, clock: Clock) -> None:
        self._tool = tool
        self._runner = runner
        self._find_chip = find_chip
        self._clock = clock
        self._node_id = ""
        self._way: Way | None = None
        # Which device was at a place when both were last told; an identity that is not told again is still that.
        self._places: dict[str, str] = {}
        # What stands still of a device that nobody knows is what was said of it first: its measures are among it.
        self._raw: dict[str, Mapping[str, str]] = {}
        self._was_there = False

    @property
    def name(self) -> str:
        """The command."""
        return self._tool.command

    def read_devices(self, node: NodeReport) -> tuple[DeviceReport, ...]:
        """Return the devices that the tool tells of; raises DevicesUnreadable when it fails, or is gone since."""
        path = self._runner.find(self._tool.command)
        if path is None:
            if self._was_there:
                raise DevicesUnreadable(f"{self._tool.command} is no longer on this host")
            return ()
        self._was_there = True
        self._node_id = node.hardware_id
        answer = self._ask_ways(path, self._clock.monotonic_s() + READ_S_MAX)
        self._way = answer.way
        identified = identify_readings(answer.readings, node.hardware_id, self._places)
        self._places = {reading.place: hardware_id for hardware_id, reading in identified if reading.place}
        if not identified and (answer.unknown or answer.readings):
            nameless = ", ".join(reading.name for reading in answer.readings)
            return (self._report_tool(answer.unknown or f"devices without an identity: {nameless}", node),)
        return tuple(self._build_report(hardware_id, reading, node) for hardware_id, reading in identified)

    def read_samples(self, *, is_dear: bool) -> tuple[DeviceSample, ...]:
        """Return what the devices measure, nothing before they have been read once; raises DevicesUnreadable if it fails."""
        path, way = self._runner.find(self._tool.command), self._way
        if way is None:
            return ()
        if path is None:
            raise DevicesUnreadable(f"{self._tool.command} is no longer on this host")
        ends_s = self._clock.monotonic_s() + READ_S_MAX
        readings = self._collect(path, way.samples, ends_s)
        if is_dear:
            further = tuple(query for query in way.dear if query not in way.samples)
            readings = merge_readings((*readings, *self._ask_more(path, further, readings, ends_s)))
        if not readings:
            raise DevicesUnreadable(f"{self._tool.command} told nothing of any device")
        return tuple(
            DeviceSample(hardware_id, keep_values(_list_values(reading), is_dear=is_dear))
            for hardware_id, reading in identify_readings(readings, self._node_id, self._places)
        )

    def _ask_ways(self, path: str, ends_s: float) -> _Answer:
        """Try the ways in order until a text is known; raises DevicesUnreadable when none even printed one."""
        failures: list[str] = []
        strange = ""
        for way in self._tool.ways:
            output = self._run(path, way.inventory[0].arguments, ends_s)
            if output.exit_code == 0 and recognize(output.text) is not None:
                return _Answer(way, self._collect(path, way.inventory, ends_s, output))
            if _NONE_FOUND.search(output.text) or _NONE_FOUND.search(output.words):
                return _Answer(way, ())
            if output.exit_code == 0 and output.text.strip():
                devices = merge_readings(describe_unknown(output.text))
                if devices:
                    return _Answer(way, devices)
                strange = strange or output.text
            failures.append(output.explain())
        if strange:
            return _Answer(self._tool.ways[0], (), strange)
        raise DevicesUnreadable(f"{self._tool.command} failed", inside="; ".join(failures))

    def _collect(
        self, path: str, queries: tuple[Query, ...], ends_s: float, first: ToolOutput | None = None
    ) -> tuple[DeviceReading, ...]:
        """Return what all queries tell together; one that is asked of each device may fail, and casts doubt on that one."""
        whole = [query for query in queries if not query.is_each]
        outputs = [self._run(path, query.arguments, ends_s) for query in whole[1 if first else 0 :]]
        failed = [output for output in outputs if output.exit_code != 0]
        if failed:
            raise DevicesUnreadable(f"{self._tool.command} failed", inside="; ".join(map(ToolOutput.explain, failed)))
        texts = [output.text for output in ([first] if first else []) + outputs]
        readings = merge_readings(reading for text in texts for reading in _parse(text))
        each = tuple(query for query in queries if query.is_each)
        return merge_readings((*readings, *self._ask_each(path, each, readings, ends_s)))

    def _ask_more(
        self, path: str, queries: tuple[Query, ...], readings: tuple[DeviceReading, ...], ends_s: float
    ) -> Iterator[DeviceReading]:
        """Yield what dear queries tell; those that fail tell nothing, and cast no doubt on what is known without them."""
        for query in queries:
            if not query.is_each:
                output = self._run(path, query.arguments, ends_s)
                yield from _parse(output.text) if output.exit_code == 0 else ()
        each = tuple(query for query in queries if query.is_each)
        yield from (replace(found, verdict=None) for found in self._ask_each(path, each, readings, ends_s))

    def _ask_each(
        self, path: str, queries: tuple[Query, ...], readings: Iterable[DeviceReading], ends_s: float
    ) -> Iterator[DeviceReading]:
        asked: set[tuple[str, ...]] = set()
        for reading in readings:
            parts = reading.number.split("/")
            for query in queries:
                arguments = tuple(argument.format(*parts) for argument in query.arguments)
                if not reading.number or arguments in asked:
                    continue
                asked.add(arguments)
                output = self._run(path, arguments, ends_s)
                if output.exit_code == 0:
                    yield from _parse(output.text)
                else:
                    yield replace(reading, values={}, facts={}, verdict=Verdict.UNKNOWN)

    def _run(self, path: str, arguments: tuple[str, ...], ends_s: float) -> ToolOutput:
        left_s = ends_s - self._clock.monotonic_s()
        if left_s <= 0:
            raise DevicesUnreadable(f"{self._tool.command} did not answer within {READ_S_MAX:g} s")
        return self._runner.run(path, arguments, left_s)

    def _build_report(self, hardware_id: str, reading: DeviceReading, node: NodeReport) -> DeviceReport:
        chip = next(filter(None, (self._find_chip(name) for name in _list_names(reading))), UNKNOWN_CHIP)
        own = {
            "vendor": reading.vendor,
            "tool": self._tool.command,
            "uuid": reading.uuid,
            "serial": reading.serial,
            "pci_address": reading.place,
        }
        raw = self._raw.setdefault(hardware_id, reading.facts) if chip == UNKNOWN_CHIP else reading.facts
        facts = keep_raw(raw) | {name: text[:DEVICE_FACT_CHARACTERS_MAX] for name, text in own.items() if text}
        return DeviceReport(
            hardware_id=hardware_id,
            node_hardware_id=node.hardware_id,
            chip=chip,
            name=(reading.name or f"a device of {self._tool.command}")[:256],
            memory_bytes=round((reading.memory_mib or 0) * 2**20),
            verdict=reading.verdict or Verdict.OK,
            facts=facts,
        )

    def _report_tool(self, text: str, node: NodeReport) -> DeviceReport:
        """Return the tool itself as an unknown device, as what it prints tells not even one device from another."""
        hardware_id = f"tool-{self._tool.command}-{node.hardware_id}"
        said = {"tool": self._tool.command, "output": text.strip()[:DEVICE_FACT_CHARACTERS_MAX]}
        return DeviceReport(
            hardware_id=hardware_id,
            node_hardware_id=node.hardware_id,
            chip=UNKNOWN_CHIP,
            name=f"{self._tool.command}, whose output nobody knows",
            memory_bytes=0,
            verdict=Verdict.UNKNOWN,
            facts=dict(self._raw.setdefault(hardware_id, said)),
        )


def _parse(text: str) -> tuple[DeviceReading, ...]:
    """Return what a text tells of devices; raises DevicesUnreadable for one that starts as a known form and goes on otherwise."""
    parser = recognize(text)
    try:
        return describe_unknown(text) if parser is None else parser.parse(text)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as fault:
        # Tools change from release to release: what a parser stumbles on is not known, and no fault of the agent.
        raise DevicesUnreadable("a tool's output has a form that is not known", inside=repr(fault)) from fault


def _list_names(reading: DeviceReading) -> tuple[str, ...]:
    return (reading.name, f"{reading.vendor} {reading.name}") if reading.name else ()


def _list_values(reading: DeviceReading) -> dict[SampleName, float | None]:
    health = choose_worse(reading.verdict, None) or Verdict.OK
    return {**reading.values, SampleName.HEALTH: float(encode_health(health))}
