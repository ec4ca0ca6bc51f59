"""Building the site: every adapter of this release under its own name."""

from pathlib import Path

import pytest

from keisan.agent.door import DoorSettings
from keisan.catalog.supernode import load_supernode_templates
from keisan.daemon.settings import SiteSettings
from keisan.daemon.site import build_adapters, build_door, build_plans
from keisan.domain.errors import SettingsInvalid
from keisan.domain.supernode_plan import SupernodePlan
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


TEMPLATES = {template.id: template for template in load_supernode_templates()}


def build_site(*supernodes: dict[str, object]) -> SiteSettings:
    return SiteSettings.model_validate({"supernode": supernodes})


def test_supernodes_are_told_with_the_sizes_of_their_templates() -> None:
    own = build_site(
        {"name": "one", "template": "node-8-mesh", "members": ["a", "b"], "links_per_member": 7},
        {"name": "two", "nodes": ["host"]},
    )
    plans = (SupernodePlan("one", "node-8-mesh", ("a", "b"), (), 7), SupernodePlan("two", nodes=("host",)))
    assert build_plans(own, TEMPLATES) == (plans, {"node-8-mesh": 8})
    assert build_plans(SiteSettings(), TEMPLATES) == ((), {})


def test_all_that_contradicts_itself_is_told_at_once_with_its_path() -> None:
    own = build_site(
        {"name": "one", "template": "cube", "members": ["a", "a"]},
        {"name": "two", "template": "node-8-mesh", "members": list("bcdefghij"), "links_per_member": 6},
    )
    with pytest.raises(SettingsInvalid) as caught:
        build_plans(own, TEMPLATES)
    assert [line.partition(":")[0] for line in caught.value.outside.splitlines()] == [
        "site.supernode.0.members.1",
        "site.supernode.0.template",
        "site.supernode.1.members",
        "site.supernode.1.links_per_member",
    ]
