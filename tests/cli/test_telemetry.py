"""`keisan telemetry` against a real platform: tables and JSON of a site that a real agent's frames have made live."""

import hashlib
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from keisan.cli.telemetry import format_age, format_power, merge_update
from keisan.kit.clock import SystemClock, to_milliseconds
from keisan.wire.arrow import ARROW_TYPE
from keisan.wire.frame import encode_frame
from keisan.wire.inventory import encode_inventory
from keisan.wire.telemetry import RollUpUpdate
from tests.api.live_fleet import LOAD
from tests.cli.conftest import CommandLine, run_platform
from tests.deadline import wait_until
from tests.telemetry.fleet import build_head, build_inventory, build_values

DEVICES = 4
SITE = "measured"


@pytest.fixture(scope="module")
def command_line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """A platform of its own: on the one that all share, nothing is ever measured."""
    with run_platform(tmp_path_factory.mktemp("live")) as running:
        yield running


@pytest.fixture(scope="module")
def live_site(command_line: CommandLine) -> Iterator[httpx.Client]:
    """A site whose four devices were just measured; `tests.api.live_fleet.LOAD` is what they say."""
    with command_line.open_api() as api:
        provider = api.get("/providers").json()["items"][0]["id"]
        site = api.post("/sites", json={"name": SITE, "provider_id": provider, "region": "CN-SX"}).json()
        token = api.post("/machines/tokens", json={"kind": "site", "site_id": site["id"]}).json()["token"]
        secret = "mk-keisan-" + os.urandom(16).hex()
        digest = hashlib.sha256(secret.encode()).hexdigest()
        joined = api.post("/machines/join", json={"token": token, "name": SITE, "secret_digest": digest})
        assert joined.is_success, joined.text
        with command_line.open_api(secret) as agent:
            agent.headers["content-type"] = ARROW_TYPE
            inventory = build_inventory([0, 0, 1, 1], [0, -1])
            assert agent.post("/site/inventory", content=encode_inventory(inventory)).is_success
            send_frame(agent, 1)
            wait_until(lambda: is_heard(api), "its frame is in a roll-up")
            yield agent


def is_heard(api: httpx.Client) -> bool:
    items = api.get("/telemetry/rollups", params={"region": "CN-SX"}).json()["items"]
    return bool(items) and items[0]["verdict"] == "ok"


def send_frame(agent: httpx.Client, sequence: int) -> None:
    head = build_head(sequence, to_milliseconds(SystemClock().now()), period_ms=60_000)
    body = encode_frame(head, list(range(DEVICES)), build_values(DEVICES, **LOAD))  # type: ignore[arg-type]  # any numbers
    answer = agent.post("/site/frame", content=body)
    assert answer.is_success, answer.text


def find_row(out: str, name: str) -> list[str]:
    """Return the words of the line of a table that begins with a name."""
    return next(line for line in out.splitlines() if line.split()[:1] == [name]).split()


@pytest.mark.usefixtures("live_site")
def test_regions_are_shown(command_line: CommandLine) -> None:
    row = find_row(command_line.run("telemetry", "show").out, "CN-SX")
    assert row[:7] == ["CN-SX", "ok", "4", "4", "0", "0", "100.0%"]
    for part in ("25.0%", "1000.0", "MiB", "1.0", "kW", "70", "100"):
        assert part in row, row
    told = command_line.run("telemetry", "show", "--json").told
    assert {line["name"] for line in told["items"]} >= {"CN-SX"}


@pytest.mark.usefixtures("live_site")
def test_inside_a_site_is_shown(command_line: CommandLine) -> None:
    assert find_row(command_line.run("telemetry", "show", "--by", "node", "--site", SITE).out, "node-1")[1] == "ok"
    assert (
        find_row(command_line.run("telemetry", "show", "--by", "supernode", "--site", SITE).out, "supernode-0")[2]
        == "2"
    )
    assert find_row(command_line.run("telemetry", "show", "--by", "provider").out, "local")[1] == "ok"
    refused = command_line.run("telemetry", "show", "--by", "node")
    assert (refused.code, "--site" in refused.aside) == (2, True)


@pytest.mark.usefixtures("live_site")
def test_devices_are_listed(command_line: CommandLine) -> None:
    out = command_line.run("telemetry", "devices", SITE).out
    row = find_row(out, "device-3")
    assert row[:4] == ["device-3", "node-1", "unknown-chip", "ok"]
    assert "400.0" in row
    one = command_line.run("telemetry", "devices", SITE, "--node", "node-0", "--limit", "1")
    assert "device-0" in one.out
    assert "device-1" not in one.out
    assert "more than 1" in one.aside
    assert command_line.run("telemetry", "devices", SITE, "--verdict", "failed", "--json").told == []


@pytest.mark.usefixtures("live_site")
def test_frames_are_counted(command_line: CommandLine) -> None:
    row = find_row(command_line.run("telemetry", "frames").out, SITE)
    assert row[:2] == [SITE, "CN-SX"]
    assert row[5] == "none"
    told = command_line.run("telemetry", "frames", "--json").told
    assert next(line for line in told if line["site_name"] == SITE)["outcomes"]["live"] >= 1


def test_what_changes_is_watched(command_line: CommandLine, live_site: httpx.Client) -> None:
    out = command_line.run("telemetry", "watch", "--updates", "1", "--region", "CN-SX").out
    assert find_row(out, "CN-SX")[1] == "ok"
    send_frame(live_site, 2)
    lines = command_line.run("telemetry", "watch", "--updates", "1", "--json").out.splitlines()
    assert [json.loads(line)["is_whole"] for line in lines] == [True]


def test_organizations_are_shown_nothing(command_line: CommandLine) -> None:
    for words in (("show",), ("watch",), ("frames",)):
        assert command_line.run("telemetry", *words, key=command_line.developer_key).code == 4


def test_update_replaces_what_it_names() -> None:
    known: dict[str, object] = {"gone": 1}
    merge_update(known, RollUpUpdate(taken_at=datetime(2026, 1, 1, tzinfo=UTC), is_whole=True, items=()))  # type: ignore[arg-type]  # a marker
    assert known == {}


@pytest.mark.parametrize(("milliwatts", "text"), [(1500, "1.5 W"), (1_500_000, "1.5 kW"), (2_500_000_000, "2.5 MW")])
def test_power_is_readable(milliwatts: int, text: str) -> None:
    assert format_power(milliwatts) == text


@pytest.mark.parametrize(("age_s", "text"), [(-1, "0.0 s"), (1.5, "1.5 s"), (600, "10 min"), (36_000, "10 h")])
def test_age_is_readable(age_s: float, text: str) -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert format_age(now - timedelta(seconds=age_s), now) == text
    assert format_age(None, now) == "unknown"
