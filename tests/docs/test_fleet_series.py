"""docs/reference/fleet-series.md is made of the families themselves.

`UPDATE_GOLDEN=1 pytest tests/docs/test_fleet_series.py` writes it anew.
"""

import os
from pathlib import Path

from keisan.control.telemetry_export import FLEET_FAMILIES
from keisan.telemetry.exposition import name_label, name_series
from keisan.telemetry.series import Attributes, Family, HardwareType, SeriesKind
from keisan.telemetry.series_device import DEVICE_FAMILIES, DEVICE_SERIES, DeviceSeries
from keisan.telemetry.series_frame import FRAMES, REFUSED
from keisan.telemetry.series_roll_up import ROLL_UP_SERIES, RollUpSeries

PAGE = Path(__file__).parents[2] / "docs/reference/fleet-series.md"
HEAD = """# What the fleet tells

Made from the code by a test (`tests/docs/test_fleet_series.py`; `UPDATE_GOLDEN=1` writes it anew). How to use it:
[Monitor the fleet](../how-to/monitor-the-fleet.md).

Names and units are those of OpenTelemetry's hw.* where it has one; the second column is what Prometheus calls it, here and
behind a collector. What is not known has no series. Each series says whose it is: `hw_id`, `hw_type` ({types}), `hw_parent`,
and where that is known `region`, `provider`, `site`; a device also `chip`, `hw_model` and `hw_vendor`. A sum over series
names one `hw_type`, or counts the same device several times.

"""


def test_reference_is_current() -> None:
    text = write_page()
    if os.environ.get("UPDATE_GOLDEN") == "1":
        PAGE.write_text(text, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == text, "run: UPDATE_GOLDEN=1 pytest tests/docs/test_fleet_series.py"


def write_page() -> str:
    types = ", ".join(f"`{each}`" for each in HardwareType)
    parts = [
        HEAD.format(types=types),
        "## Regions, providers, sites, supernodes and nodes\n\n",
        write_table(FLEET_FAMILIES),
    ]
    parts += [
        "\nOf supernodes and nodes there are no frames. What stands last is the platform's own.\n",
        "\n## Devices\n\nIn a scrape with `?site_id=`, beside its supernodes and nodes.\n\n",
        write_table(DEVICE_FAMILIES),
    ]
    return "".join(parts)


def write_table(families: tuple[Family, ...]) -> str:
    lines = ["| name | in Prometheus | kind | labels | what it says |", "|---|---|---|---|---|"]
    for family in families:
        kind = "counter" if family.kind is SeriesKind.COUNTER else "gauge"
        labels = ", ".join(sorted(list_labels(family)))
        lines.append(f"| `{family.name}` | `{name_series(family)}` | {kind} | {labels} | {family.text} |")
    return "\n".join(lines) + "\n"


def tell_apart(series: RollUpSeries | DeviceSeries) -> tuple[Family, Attributes]:
    """Return a series' family and the attributes that are its own."""
    return series.family, series.extra


def list_labels(family: Family) -> set[str]:
    """Return what tells series of one family and one owner apart."""
    own = {
        name_label(name)
        for series in [*map(tell_apart, ROLL_UP_SERIES), *map(tell_apart, DEVICE_SERIES)]
        if series[0] is family
        for name in series[1]
    }
    others = {"keisan.verdict": "verdict", "hw.status": "hw_state", "keisan.throttled": "reason"}
    frames = {FRAMES.name: "outcome", REFUSED.name: "fault"}
    return own | {label for name, label in (others | frames).items() if name == family.name}
