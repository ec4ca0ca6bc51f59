"""The dashboard: what it asks for is what a real scrape exposes, and its form is Grafana's as far as that can be told without it.

Not checked: that Grafana draws it. Its own schema is written in CUE and Go; what is held here is what its loader reads.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from keisan.domain.sample import HEALTH_CODES, SampleName
from keisan.domain.verdict import Verdict
from tests.api.conftest import live, stage, stage_template
from tests.api.live_fleet import LiveStage
from tests.telemetry.scrape import read_samples

__all__ = ["live", "stage", "stage_template"]

BOARD: dict[str, Any] = json.loads((Path(__file__).parents[2] / "docs/grafana/keisan-fleet.json").read_text())
PANELS: list[dict[str, Any]] = BOARD["panels"]
NAME = re.compile(
    r"\b(?:keisan|hw|gen_ai)_[a-z_]+\b(?=\s*[{)\[])|\b(?:keisan|hw)_[a-z_]+_(?:total|seconds|ratio|bytes|watts)\b"
)
SELECTOR = re.compile(r"([a-z_]+)\{([^}]*)\}")
MATCHER = re.compile(r'([a-z_]+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
BY = re.compile(r"\bby \(([^)]*)\)")
LEGEND = re.compile(r"\{\{(\w+)\}\}")
# Grafana's ids of units (packages/grafana-data/src/valueFormats/categories.ts).
UNITS = {"short", "percentunit", "watt", "bytes", "celsius", "s"}
KINDS = {"row", "stat", "timeseries", "state-timeline", "bargauge", "table"}
COLUMNS = 24


def list_expressions() -> list[str]:
    """Return every expression: of panels, and of the variables, whose labels are asked for as well."""
    asked = [target["expr"] for panel in PANELS for target in panel.get("targets", [])]
    return asked + [each["definition"] for each in BOARD["templating"]["list"] if each["type"] == "query"]


async def read_exposed(live: LiveStage) -> dict[str, list[dict[str, str]]]:
    """Return name -> labels of each series, of a fleet and a site of which everything is known."""
    everything: dict[str, Any] = dict.fromkeys(SampleName, 1) | {"health": HEALTH_CODES[Verdict.OK]}
    live.watch.fleet.sites[live.heard.site_id].columns.gflops[1] = 5
    live.feed(**everything)
    live.tick()
    found: dict[str, list[dict[str, str]]] = {}
    for query in ("", f"?site_id={live.heard.site_id}"):
        for sample in read_samples((await live.scrape(query=query)).text):
            found.setdefault(sample.name, []).append(sample.labels)
    return found


def find_fault(expression: str, exposed: dict[str, list[dict[str, str]]]) -> str | None:
    """Return what an expression asks for that nobody exposes."""
    names = set(NAME.findall(expression)) | {name for name, _ in SELECTOR.findall(expression)}
    if not names:
        return "it names no series"
    missing = sorted(name for name in names if name not in exposed)
    if missing:
        return f"nobody exposes {missing}"
    for name, matchers in SELECTOR.findall(expression):
        wanted = MATCHER.findall(matchers)
        if not any(all(_is_met(labels, each) for each in wanted) for labels in exposed[name]):
            return f"no series of {name} has {matchers}"
    shared = set().union(*(labels for name in names for labels in exposed[name]))
    asked = {label.strip() for labels in BY.findall(expression) for label in labels.split(",")}
    return f"nobody has the labels {sorted(asked - shared)}" if asked - shared else None


def _is_met(labels: dict[str, str], matcher: tuple[str, str, str]) -> bool:
    label, operator, text = matcher
    value = labels.get(label)
    if text.startswith("$"):
        return value is not None
    if operator == "=~":
        return value is not None and re.fullmatch(text, value) is not None
    assert operator == "=", "other operators would hide a label that is not there"
    return value == text


async def test_every_expression_asks_for_what_is_exposed(live: LiveStage) -> None:
    exposed = await read_exposed(live)
    faults = {each: fault for each in list_expressions() if (fault := find_fault(each, exposed))}
    assert not faults
    for panel in PANELS:
        for target in panel.get("targets", []):
            names = {name for name, _ in SELECTOR.findall(target["expr"])}
            labels = set().union(*(of for name in names for of in exposed[name])) if names else set()
            assert set(LEGEND.findall(target["legendFormat"])) <= labels, panel["title"]


@pytest.mark.parametrize(
    "wrong",
    [
        "sum(hw_power_kilowatts)",
        'sum(hw_power_watts{hw_type="continent"})',
        'sum by (country) (hw_power_watts{hw_type="region"})',
        'keisan_verdict{verdict="fine"}',
        "1 + 1",
    ],
)
async def test_wrong_expression_is_found(live: LiveStage, wrong: str) -> None:
    assert find_fault(wrong, await read_exposed(live)) is not None


def test_sums_never_count_a_device_twice() -> None:
    """Each selector says of which level, or the same watts are added up as region, provider, site and device."""
    for expression in list_expressions():
        for name, matchers in SELECTOR.findall(expression):
            assert "hw_type=" in matchers, (name, expression)


def test_parentheses_and_quotes_are_closed() -> None:
    for expression in list_expressions():
        for first, last in ("()", "{}", "[]"):
            assert expression.count(first) == expression.count(last), expression
        assert expression.count('"') % 2 == 0


def test_panels_stand_side_by_side() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= COLUMNS
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)


def test_form_is_what_grafana_reads() -> None:
    assert BOARD["id"] is None, "Grafana gives the number; with one, it looks for a dashboard that is there"
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", BOARD["uid"])
    assert BOARD["title"]
    assert BOARD["schemaVersion"] >= 36, "data sources are named by type and uid since then"
    assert {"from", "to"} == set(BOARD["time"])
    variables = {each["name"]: each for each in BOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    for panel in PANELS:
        assert panel["type"] in KINDS
        if panel["type"] == "row":
            continue
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        assert isinstance(panel["fieldConfig"]["overrides"], list)
        letters = [target["refId"] for target in panel["targets"]]
        assert letters == [chr(ord("A") + number) for number in range(len(letters))]
        assert letters
        assert all(target["datasource"] == panel["datasource"] for target in panel["targets"])
    used = set(re.findall(r"\$\{?(\w+)\}?", json.dumps(PANELS)))
    assert used == set(variables), "each variable is used, and each that is used is there"


def test_what_was_asked_for_is_shown() -> None:
    asked = " ".join(list_expressions())
    for name in (
        "keisan_devices",
        "keisan_coverage_ratio",
        "hw_power_watts",
        "hw_gpu_utilization_ratio",
        "keisan_proven_timestamp_seconds",
        "keisan_capacity_operations_per_second",
        "keisan_verdict",
    ):
        assert name in asked
