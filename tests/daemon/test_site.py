"""Building the site: every adapter of this release under its own name."""

from pathlib import Path

from keisan.agent.door import DoorSettings
from keisan.daemon.settings import SiteSettings
from keisan.daemon.site import build_adapters, build_door
from keisan.kit.clock import SystemClock


def test_adapters_stand_under_their_names() -> None:
    adapters = build_adapters(SiteSettings(), SystemClock())
    assert list(adapters.engines) == ["llama_cpp"]
    assert list(adapters.weights) == ["path", "package"]
    assert {"cpu", "nvidia-smi", "npu-smi"} < set(adapters.devices)
    assert adapters.executor.name == "local"


def test_door_is_told_as_it_was_set(tmp_path: Path) -> None:
    assert build_door(SiteSettings()) is None
    path = tmp_path / "ca.pem"
    path.write_text("x")
    own = SiteSettings(door_url="https://[::1]:8443", door_ca_path=path)
    assert build_door(own) == DoorSettings("::1", 8443, is_tls=True, ca_path=path)
