"""Settings about devices."""

import pytest
from pydantic import ValidationError

from keisan.daemon.settings import load_settings
from keisan.daemon.settings_device import DeviceSettings, SimulatedSettings
from keisan.devices.simulated_fault import SimulatedFault
from keisan.domain.device import DeviceTerms
from keisan.domain.errors import SettingsInvalid


def test_suspects_are_only_told_of_unless_it_is_set() -> None:
    assert DeviceSettings().terms == DeviceTerms(0, is_cordoning=False)
    settings = load_settings({"data_directory": "/tmp/x"}, {"KEISAN_PLATFORM__DEVICES__CORDON_SUSPECTS": "true"}, None)
    assert settings.platform.devices.terms == DeviceTerms(0, is_cordoning=True)


def test_played_devices_are_items_of_the_site() -> None:
    item = {"chip": "nvidia-h20", "count": 4, "heat": [0], "lost": [3], "ecc": [1], "link": [2]}
    settings = load_settings({"data_directory": "/tmp/x", "site": {"simulated": [item]}}, {}, None)
    (own,) = settings.site.simulated
    assert own.faults == {
        0: SimulatedFault.HEAT,
        1: SimulatedFault.ECC,
        2: SimulatedFault.LINK,
        3: SimulatedFault.LOST,
    }
    with pytest.raises(SettingsInvalid, match="simulated"):
        load_settings({"data_directory": "/tmp/x", "site": {"simulated": [item | {"colour": "red"}]}}, {}, None)


@pytest.mark.parametrize(
    "changes", [{"count": 0}, {"count": 5000}, {"heat": [4]}, {"heat": [1], "ecc": [1]}, {"lost": [-1]}, {"chip": ""}]
)
def test_what_makes_no_sense_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SimulatedSettings.model_validate({"chip": "nvidia-h20", "count": 4} | changes)


@pytest.mark.parametrize(
    ("item", "path"),
    [
        ({}, "site.supernode.0.name"),
        ({"name": ""}, "site.supernode.0.name"),
        ({"name": "x", "members": ["a", "nul\0"]}, "site.supernode.0.members.1"),
        ({"name": "x", "members": ["a" * 257]}, "site.supernode.0.members.0"),
        ({"name": "x", "links_per_member": 0}, "site.supernode.0.links_per_member"),
        ({"name": "x", "links_per_member": 5000}, "site.supernode.0.links_per_member"),
        ({"name": "x", "colour": "red"}, "site.supernode.0.colour"),
    ],
)
def test_a_supernode_that_cannot_be_told_is_refused_with_its_path(item: dict[str, object], path: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        load_settings({"data_directory": "/tmp/x", "site": {"supernode": [item]}}, {}, None)
    assert [line.partition(":")[0] for line in caught.value.outside.splitlines()] == [path]
