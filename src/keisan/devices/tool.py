"""What a tool of a chip's maker is to a driver: how to ask it, which texts are its own, and what they tell of devices.

A parser is a pure function from a text to readings; one file per maker is in vendors/.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from keisan.devices.quantity import clean_text
from keisan.domain.sample import SampleName
from keisan.domain.verdict import Verdict

_PLACE: Final = re.compile(r"(?:([0-9a-f]{1,8}):)?([0-9a-f]{2}):([0-9a-f]{2})\.([0-9a-f])")
_WORSE: Final = {Verdict.OK: 0, Verdict.UNKNOWN: 1, Verdict.FAILED: 2}


@dataclass(frozen=True, slots=True)
class DeviceReading:
    """One device as one text tells of it; what the text does not tell is empty, None or absent.

    `place` is the PCI address. `number` is what the tool calls it now: good for asking the same tool again at once and for
    putting its texts together, never for telling devices apart. `facts` stand still; `values` are in the units of a sample.
    """

    vendor: str
    name: str = ""
    uuid: str = ""
    serial: str = ""
    place: str = ""
    number: str = ""
    memory_mib: float | None = None
    verdict: Verdict | None = None
    values: Mapping[SampleName, float | None] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Parser:
    """`is_own` tells whether a text is of this maker's tool, whatever the tool is called."""

    vendor: str
    is_own: Callable[[str], bool]
    parse: Callable[[str], tuple[DeviceReading, ...]]


@dataclass(frozen=True, slots=True)
class Query:
    """Arguments of one call. With `is_each` it is made for every device: {0}, {1} are the parts of its number."""

    arguments: tuple[str, ...]
    is_each: bool = False


@dataclass(frozen=True, slots=True)
class Way:
    """One way to ask: which devices there are, what they measure, and what is dear to read.

    The first inventory query decides by its answer whether this way is the right one for the tool. A dear query may fail:
    not all devices have what it asks for.
    """

    inventory: tuple[Query, ...]
    samples: tuple[Query, ...]
    dear: tuple[Query, ...] = ()


@dataclass(frozen=True, slots=True)
class Tool:
    """A command, and the ways to ask it, tried in order: two makers may ship one name."""

    command: str
    ways: tuple[Way, ...]


def normalize_place(text: object) -> str:
    """Return a PCI address as 0000:3b:00.0, empty where a text has none."""
    match = _PLACE.search(str(text or "").lower())
    if match is None:
        return ""
    domain, bus, device, function = match.groups()
    return f"{int(domain or '0', 16):04x}:{bus}:{device}.{function}"


def choose_worse(one: Verdict | None, other: Verdict | None) -> Verdict | None:
    """Return the worse of two verdicts; None says nothing."""
    known = [verdict for verdict in (one, other) if verdict is not None]
    return max(known, key=_WORSE.__getitem__, default=None)


def merge_readings(readings: Iterable[DeviceReading]) -> tuple[DeviceReading, ...]:
    """Return one reading per device, made of all texts that tell of it: by UUID, by place, or by the tool's number."""
    groups: list[tuple[set[tuple[str, str]], DeviceReading]] = []
    for reading in readings:
        named = (("uuid", reading.uuid), ("place", reading.place), ("number", reading.number))
        keys = {key for key in named if key[1]}
        apart: list[tuple[set[tuple[str, str]], DeviceReading]] = []
        whole: DeviceReading | None = None
        for group in groups:
            if group[0] & keys:
                keys |= group[0]
                whole = group[1] if whole is None else _join(whole, group[1])
            else:
                apart.append(group)
        groups = [*apart, (keys, reading if whole is None else _join(whole, reading))]
    return tuple(reading for _, reading in groups)


def _join(first: DeviceReading, later: DeviceReading) -> DeviceReading:
    values = {name: value for name, value in later.values.items() if value is not None}
    return replace(
        first,
        name=first.name or later.name,
        uuid=first.uuid or later.uuid,
        serial=first.serial or later.serial,
        place=first.place or later.place,
        number=first.number or later.number,
        memory_mib=later.memory_mib if first.memory_mib is None else first.memory_mib,
        verdict=choose_worse(first.verdict, later.verdict),
        values={**first.values, **values},
        facts={**later.facts, **first.facts},
    )


def keep_facts(found: Mapping[str, object]) -> dict[str, str]:
    """Return the facts that say something."""
    cleaned = ((name, clean_text(text)) for name, text in found.items())
    return {name: text for name, text in cleaned if text}
