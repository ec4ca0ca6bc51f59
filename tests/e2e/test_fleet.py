"""A simulated fleet against a real platform: a cut region is unknown and comes back whole, and a killed platform forgets none."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from keisan.daemon.folder import DataFolder, prepare_folder
from tests.deadline import wait_until
from tests.e2e.platform_process import Platform
from tests.e2e.stack import Program

pytestmark = pytest.mark.e2e

REGIONS = {"CN-SX", "CN-LN", "CN-SH", "CN-JS"}
DEVICES = 2000
FLEET = ("--regions", "4", "--devices", str(DEVICES), "--rate", "1s", "--sites", "1", "--no-faults", "--json")


@pytest.fixture
def folder() -> Iterator[DataFolder]:
    with tempfile.TemporaryDirectory(prefix="keisan-", dir="/tmp") as root:
        yield prepare_folder(Path(root) / "data")


@contextmanager
def run_platform(folder: DataFolder) -> Iterator[Platform]:
    config = folder.root / "keisan.toml"
    config.touch()
    platform = Platform(folder)
    platform.start()
    try:
        yield platform
    finally:
        platform.kill()


@contextmanager
def simulate(folder: DataFolder, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [str(Program().path), "simulate", "fleet", "--data", str(folder.root), *FLEET, *options]
    with (folder.root / "simulation").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=Program().build_environment())
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)


def read_regions(platform: Platform, folder: DataFolder) -> dict[str, tuple[str, int, int]]:
    """Return each region's verdict, and how many devices it has and how many of them are ok."""
    key = json.loads(folder.operator_path.read_text())["api_key"]
    headers = {"authorization": f"Bearer {key}"}
    answer = httpx.get(f"{platform.url}/api/v1/telemetry/rollups", headers=headers, trust_env=False, timeout=30)
    return {
        line["name"]: (line["verdict"], line["counts"]["devices"], line["counts"]["ok"])
        for line in answer.raise_for_status().json()["items"]
    }


def is_whole(regions: dict[str, tuple[str, int, int]]) -> bool:
    return set(regions) == REGIONS and all(found == ("ok", 500, 500) for found in regions.values())


def test_a_cut_region_is_unknown_and_comes_back_whole(folder: DataFolder) -> None:
    with run_platform(folder) as platform, simulate(folder, "--duration", "40s", "--cut", "CN-SH:8:24") as fleet:
        wait_until(lambda: is_whole(read_regions(platform, folder)), "every device is ok", 40)
        expected = dict.fromkeys(REGIONS, ("ok", 500, 500)) | {"CN-SH": ("unknown", 500, 0)}
        wait_until(lambda: read_regions(platform, folder) == expected, "the cut region alone is unknown", 40)
        wait_until(lambda: is_whole(read_regions(platform, folder)), "it is back whole", 40)
        assert fleet.wait(60) == 0
    told = [json.loads(line) for line in (folder.root / "simulation").read_text().splitlines() if line.startswith("{")]
    assert told[-1]["devices"] == DEVICES


def test_a_killed_platform_knows_who_is_unknown_and_hears_them_again(folder: DataFolder) -> None:
    with run_platform(folder) as platform:
        with simulate(folder, "--duration", "60s"):
            wait_until(lambda: is_whole(read_regions(platform, folder)), "every device is ok", 40)
        platform.kill()
        platform.start()
        known = read_regions(platform, folder)
        assert known == dict.fromkeys(REGIONS, ("unknown", 500, 0))
        with simulate(folder, "--duration", "60s"):
            wait_until(lambda: is_whole(read_regions(platform, folder)), "every device is ok again", 40)
