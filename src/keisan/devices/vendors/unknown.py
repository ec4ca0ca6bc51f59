"""What no maker's parser knows: devices are found by their identities alone, and keep all that the tool says of them."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final
from xml.etree.ElementTree import Element

from keisan.devices.quantity import clean_text
from keisan.devices.query_text import read_query
from keisan.devices.tool import DeviceReading, normalize_place
from keisan.devices.xml_text import parse_xml
from keisan.domain.limits import DEVICE_FACT_CHARACTERS_MAX, DEVICE_FACT_NAME_CHARACTERS_MAX, DEVICE_FACTS_MAX
from keisan.domain.verdict import Verdict

VENDOR: Final = "unknown"
# The driver adds a few of its own: its tool, the place.
_FACTS_MAX: Final = DEVICE_FACTS_MAX - 6
_UUID: Final = re.compile(r"\buu_?id$|\bunique[ _]?id$", re.IGNORECASE)
_SERIAL: Final = re.compile(r"\bserial([ _]?(number|no))?$|\bsn$", re.IGNORECASE)
_NAME: Final = re.compile(r"(device|product|card|model)[ _]?name$|^name$", re.IGNORECASE)
_PLACE: Final = re.compile(r"(?<![a-z])b(us|df)(?![a-z])|pci", re.IGNORECASE)
_PAIR: Final = re.compile(r"([A-Za-z][^:|]{0,63}?)\s*:\s*([^|]+)")
# A line that separates: blank, or made of the signs that tables are drawn with.
_RULE: Final = re.compile(r"[\s+|=\-_*]*$")


def describe_unknown(text: str) -> tuple[DeviceReading, ...]:
    """Return a reading, with verdict UNKNOWN and raw facts, for each device that can be told apart in any text."""
    readings = (_build(facts) for facts in _walk_devices(text))
    return tuple(reading for reading in readings if reading is not None)


def keep_raw(facts: Mapping[str, object]) -> dict[str, str]:
    """Return facts within the bounds of a report, the first ones where there are too many."""
    cleaned = ((name.strip()[:DEVICE_FACT_NAME_CHARACTERS_MAX], clean_text(value)) for name, value in facts.items())
    kept = [(name, text[:DEVICE_FACT_CHARACTERS_MAX]) for name, text in cleaned if name and text]
    return dict(kept[:_FACTS_MAX])


def _build(facts: Mapping[str, object]) -> DeviceReading | None:
    def find(pattern: re.Pattern[str]) -> str:
        found = (clean_text(value) for name, value in facts.items() if pattern.search(name.rpartition("/")[2].strip()))
        return next((text for text in found if text), "")

    uuid, serial = find(_UUID), find(_SERIAL)
    if not uuid and not serial:
        return None
    places = (normalize_place(value) for name, value in facts.items() if _PLACE.search(name))
    return DeviceReading(
        vendor=VENDOR,
        name=find(_NAME),
        uuid=uuid,
        serial=serial,
        place=next((place for place in places if place), ""),
        verdict=Verdict.UNKNOWN,
        facts=keep_raw(facts),
    )


def _walk_devices(text: str) -> Iterator[Mapping[str, object]]:
    rows = read_query(text)
    if rows:
        yield from rows
        return
    root = parse_xml(text)
    if root is not None:
        yield from (_flatten_xml(element) for element in root.iter() if element.find("uuid") is not None)
        return
    tables = _read_json(text)
    yield from tables if tables is not None else _walk_paragraphs(text)


def _flatten_xml(element: Element) -> dict[str, object]:
    facts: dict[str, object] = {}
    for child in element.iter():
        if len(child) == 0 and child.text:
            facts.setdefault(child.tag, child.text)
    return facts


def _read_json(text: str) -> list[Mapping[str, object]] | None:
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return list(_walk_tables(found))


def _walk_tables(found: object) -> Iterator[Mapping[str, object]]:
    """Yield every table that has an identity of its own, with its plain values."""
    if isinstance(found, list):
        for entry in found:
            yield from _walk_tables(entry)
    elif isinstance(found, dict):
        plain = {str(name): value for name, value in found.items() if not isinstance(value, dict | list)}
        if any(_UUID.search(name) or _SERIAL.search(name) for name in plain):
            yield plain
        else:
            for entry in found.values():
                yield from _walk_tables(entry)


def _walk_paragraphs(text: str) -> Iterator[Mapping[str, object]]:
    facts: dict[str, object] = {}
    for line in [*text.splitlines(), ""]:
        if _RULE.match(line):
            yield facts
            facts = {}
            continue
        for match in _PAIR.finditer(line):
            facts.setdefault(match.group(1).strip(), match.group(2).strip())
