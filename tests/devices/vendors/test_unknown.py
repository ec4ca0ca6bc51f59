"""Any text: devices are told apart where it has identities, and all that it says of them is kept."""

import pytest

from keisan.devices.vendors.unknown import describe_unknown, keep_raw
from keisan.domain.limits import DEVICE_FACT_CHARACTERS_MAX, DEVICE_FACT_NAME_CHARACTERS_MAX, DEVICE_FACTS_MAX
from keisan.domain.verdict import Verdict
from tests.devices.sample_files import read_sample

UUID = "00000000-0000-0000-0000-020a00008086"


@pytest.mark.parametrize("name", ["intel/discovery.json", "intel/discovery.txt"])
def test_a_device_of_another_maker_is_told_with_its_facts(name: str) -> None:
    (reading,) = describe_unknown(read_sample(name))
    assert (reading.uuid, reading.place, reading.verdict) == (UUID, "0000:4d:00.0", Verdict.UNKNOWN)
    assert reading.name == "Intel(R) Graphics [0x020a]"
    assert "Intel(R) Corporation" in reading.facts.values()


@pytest.mark.parametrize(
    ("text", "identities"),
    [
        ("name, uuid\nX, U1\nY, U2\n", ["U1", "U2"]),
        ("<l><d><uuid>U1</uuid><temp>4</temp></d><d><uuid>U2</uuid></d></l>", ["U1", "U2"]),
        ('{"a": {"list": [{"Unique ID": "U1"}, {"Serial Number": "S2", "deep": {"uuid": "no"}}]}}', ["U1", "S2"]),
        ("Device 0\nUUID: U1\nTemp: 4\n\nDevice 1\nSerial Number : S2\n", ["U1", "S2"]),
        ("UUID: N/A\nName: X\n", []),
        ("the uuid of nothing\n", []),
        ('{"broken": ', []),
    ],
)
def test_identities_are_found_in_any_form(text: str, identities: list[str]) -> None:
    assert [reading.uuid or reading.serial for reading in describe_unknown(text)] == identities


def test_an_xml_device_keeps_its_leaves() -> None:
    (reading,) = describe_unknown(
        "<l><d><uuid>U1</uuid><pci><bus_id>3b:00.0</bus_id></pci><product_name>X</product_name></d></l>"
    )
    assert reading.facts == {"uuid": "U1", "bus_id": "3b:00.0", "product_name": "X"}
    assert (reading.name, reading.place) == ("X", "0000:3b:00.0")


def test_raw_facts_are_bounded_and_the_first_are_kept() -> None:
    kept = keep_raw({f"fact{n}" + "n" * 100: "x" * 2000 for n in range(100)} | {"": "x"})
    assert len(kept) < DEVICE_FACTS_MAX
    assert next(iter(kept)).startswith("fact0")
    assert {len(name) for name in kept} == {DEVICE_FACT_NAME_CHARACTERS_MAX}
    assert {len(text) for text in kept.values()} == {DEVICE_FACT_CHARACTERS_MAX}
