"""Supernodes as the operator set them: what came of them is kept, told, and doubted aloud once."""

import json
from pathlib import Path

import pytest

from keisan.agent.inventory import InventoryFile
from keisan.agent.supernode import SupernodePlans
from keisan.domain.inventory import SupernodeEntry
from keisan.domain.supernode_plan import SupernodePlan
from keisan.wire.inventory import decode_inventory
from tests.agent.test_inventory import report

CUBE = SupernodePlan("cube", "four", ("b", "late", "a"), links_per_member=8)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "inventory.json"


def test_members_are_told_with_their_devices_and_those_that_come_later(path: Path) -> None:
    file = InventoryFile(path, SupernodePlans((CUBE,)))
    file.follow((report("cpu"), report("a"), report("b")))
    found = decode_inventory(file.write())
    assert found.head.supernodes == (SupernodeEntry("cube", "four", ("b", "late", "a"), 8),)
    assert found.supernode.tolist() == [-1, 0, 0]
    file.follow((report("late"),))
    assert decode_inventory(file.write()).supernode.tolist() == [-1, 0, 0, 0]


def test_a_node_is_known_by_its_hostname_and_grows(path: Path) -> None:
    file = InventoryFile(path, SupernodePlans((SupernodePlan("own", nodes=("host",)),), hostnames={"host": "node"}))
    file.follow((report("cpu", chip="cpu-x86-64"), report("a")))
    assert [entry.members for entry in file.supernodes] == [("a",)]
    assert file.follow((report("b"),))
    assert [entry.members for entry in file.supernodes] == [("a", "b")]


def test_another_setting_is_another_version_and_the_same_one_is_not(path: Path) -> None:
    first = InventoryFile(path)
    first.follow((report("a"), report("b")))
    again = InventoryFile(path, SupernodePlans((CUBE,)))
    assert again.follow((report("a"), report("b")))
    assert (again.incarnation, again.version) == (first.incarnation, 2)
    same = InventoryFile(path, SupernodePlans((CUBE,)))
    assert not same.follow((report("a"), report("b")))
    same.begin_anew()
    assert decode_inventory(same.write()).head.supernodes == again.supernodes
    without = InventoryFile(path)
    assert without.follow((report("a"),))
    assert decode_inventory(without.write()).head.supernodes == ()


def test_a_file_of_an_earlier_release_goes_on(path: Path) -> None:
    file = InventoryFile(path)
    file.follow((report("a"),))
    kept = json.loads(path.read_text())
    del kept["supernodes"]
    path.write_text(json.dumps(kept))
    assert (InventoryFile(path).incarnation, InventoryFile(path).supernodes) == (file.incarnation, ())


def test_what_does_not_come_out_as_meant_is_logged_once(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = InventoryFile(path, SupernodePlans((CUBE,), {"four": 4}))
    for _ in range(2):
        file.follow((report("a"), report("b")))
    assert [record.getMessage() for record in caplog.records] == [
        "supernode.members_unseen",
        "supernode.template_unfit",
    ]
