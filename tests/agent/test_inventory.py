"""An agent's inventory: numbers are given once, in order, and kept over restarts; damage begins another incarnation."""

from pathlib import Path

import pytest

from keisan.agent.inventory import InventoryFile
from keisan.domain.inventory import digest_devices
from keisan.domain.verdict import Verdict
from keisan.wire.device import DeviceReport
from keisan.wire.inventory import decode_inventory


def report(hardware_id: str, chip: str = "nvidia-h20", memory_bytes: int = 96 * 2**30) -> DeviceReport:
    return DeviceReport(
        hardware_id=hardware_id,
        node_hardware_id="node",
        chip=chip,
        name="A device",
        memory_bytes=memory_bytes,
        verdict=Verdict.OK,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "inventory.json"


def test_numbers_are_kept_whatever_comes_and_goes(path: Path) -> None:
    file = InventoryFile(path)
    assert file.follow((report("a"), report("b")))
    assert not file.follow((report("b"), report("a")))
    # One is gone, another came, and its tool lists them the other way round.
    assert file.follow((report("c"), report("b")))
    assert file.numbers == {"a": 0, "b": 1, "c": 2}
    again = InventoryFile(path)
    assert (again.incarnation, again.version, again.numbers) == (file.incarnation, 2, file.numbers)
    assert not again.follow((report("c"),))


def test_what_changed_of_a_device_is_another_version(path: Path) -> None:
    file = InventoryFile(path)
    file.follow((report("a", chip="unknown"),))
    assert file.follow((report("a", chip="nvidia-h20", memory_bytes=0),))
    found = decode_inventory(file.write())
    assert (found.head.version, found.head.chips, found.memory_mib.tolist()) == (2, ("nvidia-h20",), [0])


def test_it_is_told_as_the_platform_reads_it(path: Path) -> None:
    file = InventoryFile(path)
    file.follow((report("a"), report("b", chip="cpu-x86-64"), report("c")))
    found = decode_inventory(file.write())
    assert found.hardware_ids.to_pylist() == ["a", "b", "c"]
    assert [found.head.chips[place] for place in found.chip] == ["nvidia-h20", "cpu-x86-64", "nvidia-h20"]
    assert found.memory_mib.tolist() == [96 * 1024] * 3
    assert found.supernode.tolist() == [-1] * 3


@pytest.mark.parametrize(
    "damage", [b"", b"{}", b'{"schema_version": 1, "incarnation": "x", "version": 1, "rows": [{}]}']
)
def test_a_damaged_one_is_begun_anew(path: Path, damage: bytes) -> None:
    first = InventoryFile(path)
    first.follow((report("a"),))
    path.write_bytes(damage)
    again = InventoryFile(path)
    assert again.rows == ()
    assert again.incarnation != first.incarnation
    assert again.follow((report("a"),))


def test_another_incarnation_has_the_same_rows(path: Path) -> None:
    file = InventoryFile(path)
    file.follow((report("a"), report("b")))
    before = file.incarnation
    file.begin_anew()
    assert file.incarnation != before
    again = InventoryFile(path)
    assert (again.incarnation, again.version, again.numbers) == (file.incarnation, 1, {"a": 0, "b": 1})


def test_a_disk_that_takes_nothing_is_told_once_and_written_as_soon_as_it_does(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "away"
    file = InventoryFile(folder / "inventory.json")
    assert file.follow((report("a"),))
    assert file.follow((report("b"),))
    assert not file.follow((report("a"), report("b")))
    assert (file.version, file.numbers, file.is_kept) == (2, {"a": 0, "b": 1}, False)
    assert caplog.messages.count("inventory.not_kept") == 1
    file.begin_anew()
    assert (file.version, file.numbers) == (1, {"a": 0, "b": 1})
    folder.mkdir()
    # Nothing is new, and it is written all the same.
    assert not file.follow((report("a"),))
    again = InventoryFile(folder / "inventory.json")
    assert (again.incarnation, again.version, again.numbers) == (file.incarnation, 1, file.numbers)
    assert file.is_kept


def test_its_digest_is_the_platform_s(path: Path) -> None:
    file = InventoryFile(path)
    file.follow((report("a"), report("b"), report("c")))
    ids = decode_inventory(file.write()).hardware_ids.to_pylist()
    assert [file.digest(count) for count in range(4)] == [digest_devices(ids[:count]) for count in range(4)]
    file.follow((report("d"),))
    assert [file.digest(count) for count in (3, 4)] == [digest_devices(ids), digest_devices([*ids, "d"])]
