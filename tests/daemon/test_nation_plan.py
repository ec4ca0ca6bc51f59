"""The nation as it is planned: every settings file is good, and names chips and regions that there are."""

from pathlib import Path

import pytest

from keisan.catalog.base import load_catalog
from keisan.daemon.nation_plan import NATIONAL, PROVINCES, PlatformPlan, plan_nation, write_settings
from keisan.daemon.nation_ports import NAMES
from keisan.daemon.settings import load_settings

PORTS = {name: 7001 + number for number, name in enumerate(NAMES)}


@pytest.mark.parametrize("plan", plan_nation(10), ids=lambda plan: plan.code)
def test_settings_file_says_what_is_planned(plan: PlatformPlan, tmp_path: Path) -> None:
    path = tmp_path / "keisan.toml"
    path.write_text(write_settings(plan, PORTS))
    settings = load_settings({"data_directory": tmp_path}, {}, path)
    [played] = settings.site.simulated
    assert (played.chip, played.count) == (plan.chip, plan.device_count)
    assert plan.chip in {str(chip_id) for chip_id in load_catalog().chips}
    assert (settings.platform.name, settings.platform.kind) == (plan.name, plan.kind)
    assert settings.first_start.region == (plan.region or plan.code)
    assert settings.first_start.replica_count == int(plan.has_model)
    assert (settings.platform.listen.port, settings.gateway.listen.port) == (7001, 7002)
    # Children and their gateways are taken by the national platform alone.
    link, federation = settings.platform.link, settings.gateway.federation
    is_parent = plan.code == "CN"
    assert (link.listen.port if link.listen else None) == (7003 if is_parent else None)
    assert (link.gateway_address.port if link.gateway_address else None) == (7004 if is_parent else None)
    assert (federation.listen.port if federation and federation.listen else None) == (7004 if is_parent else None)


def test_ten_provinces_are_those_of_the_national_platform() -> None:
    codes = ["CN-SX", "CN-LN", "CN-SH", "CN-JS", "CN-ZJ", "CN-SD", "CN-HA", "CN-QH", "CN-NX", "CN-XJ"]
    assert [plan.code for plan in PROVINCES] == codes
    assert plan_nation(2) == (NATIONAL, *PROVINCES[:2])
    assert sum(plan.has_model for plan in PROVINCES[:2]) == 2, "two provinces are enough to see a real model twice"
