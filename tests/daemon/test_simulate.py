"""What the command line may say of a simulated fleet."""

import pytest

from keisan.daemon.simulate import NO_FAULTS, Figures, read_options
from keisan.daemon.simulate_command import FleetOptions
from keisan.daemon.simulated_feed import Cut
from keisan.domain.errors import InvalidInput


def test_options_become_a_plan() -> None:
    told = FleetOptions(
        regions=31, devices=1_000_000, period="10s", duration="10m", cut=["CN-SX:30:90"], no_faults=True
    )
    plan, cuts, duration_s = read_options(told)
    assert (plan.regions, plan.devices, plan.period_ms, plan.faults) == (31, 1_000_000, 10_000, NO_FAULTS)
    assert (cuts, duration_s) == ((Cut("CN-SX", 30, 90),), 600)
    assert read_options(FleetOptions())[2] is None


def test_a_cut_has_its_region_and_time() -> None:
    cut = Cut("CN-SX", 30, 90)
    assert [cut.is_cut("CN-SX", second) for second in (29.9, 30, 89.9, 90)] == [False, True, True, False]
    assert not cut.is_cut("CN-SH", 40)


@pytest.mark.parametrize(
    ("told", "field"),
    [
        (FleetOptions(regions=32), "regions"),
        (FleetOptions(regions=0), "regions"),
        (FleetOptions(devices=30), "devices"),
        (FleetOptions(sites=0), "devices"),
        (FleetOptions(period="10"), "rate"),
        (FleetOptions(period="fast"), "rate"),
        (FleetOptions(duration="-1s"), "duration"),
        (FleetOptions(cut=["CN-SX"]), "cut"),
        (FleetOptions(cut=["CN-SX:9:3"]), "cut"),
        (FleetOptions(cut=["XX-XX:1:3"]), "cut"),
        (FleetOptions(regions=1, cut=["CN-SH:1:3"]), "cut"),
    ],
)
def test_what_is_wrong_is_named(told: FleetOptions, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_options(told)
    assert caught.value.field == field


def test_a_line_for_eyes() -> None:
    line = Figures(31, 1000, 900, 99, 1, 100, 0, 0.5, 1.2, 0.0, ["CN-SX"]).describe()
    assert (
        line
        == "31 regions  1,000 devices: 900 ok, 99 unknown, 1 failed  100 samples/s  stale 0.5 s (p99 1.2 s)  unknown: CN-SX"
    )
