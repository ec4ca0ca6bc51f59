"""The facts of this host."""

from pathlib import Path

import psutil
import pytest

from keisan.devices import node
from keisan.devices.node import derive_hardware_id, read_machine_id, read_node


def test_hardware_id_is_stable_and_hides_the_machine_id() -> None:
    assert derive_hardware_id("3d12") == derive_hardware_id("3d12") != derive_hardware_id("3d13")
    assert len(derive_hardware_id("3d12")) == 32


def test_first_machine_id_that_is_one(tmp_path: Path) -> None:
    empty, early, good = (tmp_path / name for name in ("empty", "early", "good"))
    empty.write_text("\n")
    early.write_text("uninitialized\n")
    good.write_text("3d12\n")
    assert read_machine_id((tmp_path / "none", empty, early, good)) == "3d12"
    assert read_machine_id((empty,)) == ""


def test_made_id_stands_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "read_machine_id", lambda: "")
    assert read_node("made").hardware_id == derive_hardware_id("made")


def test_facts_are_those_of_this_host() -> None:
    report = read_node("made")
    assert report.memory_bytes == psutil.virtual_memory().total
    assert 1 <= report.cpu_count <= (psutil.cpu_count() or 1)
    assert report.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
