"""`keisan demo nation` as a person uses it, with two provinces: real platforms that share nothing, and nothing left of them."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from keisan.daemon.nation_plan import PROVINCES
from keisan.kit.private_file import create_private_folder
from tests.deadline import wait_until
from tests.smollm2 import plant_weights

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
READY_S_MAX = 240.0
STOP_S_MAX = 90.0
PROCESSES = ("platform", "gateway", "site")


@dataclass
class RunningNation:
    root: Path
    process: subprocess.Popen[bytes]
    platforms: list[dict[str, Any]]

    def find(self, code: str) -> dict[str, Any]:
        return next(each for each in self.platforms if each["code"] == code)

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(STOP_S_MAX)


def build_command(root: Path) -> list[str]:
    keisan = Path(sys.executable).with_name("keisan")
    return [str(keisan), "demo", "nation", "--json", "--provinces", "2", "--data-directory", str(root)]


def plant_all_weights(root: Path) -> None:
    """Put the weights into the provinces that have a model, so that their first start downloads nothing."""
    create_private_folder(root)
    for plan in PROVINCES:
        if plan.has_model:
            plant_weights(root / plan.code)


def start_nation(root: Path) -> RunningNation:
    plant_all_weights(root)
    environment = {name: text for name, text in os.environ.items() if not name.startswith("KEISAN_")}
    output, screen = root.parent / "nation.out", root.parent / "nation.screen"
    with output.open("wb") as out, screen.open("wb") as shown:
        process = subprocess.Popen(
            build_command(root), stdout=out, stderr=shown, env=environment, start_new_session=True
        )

    def is_ready() -> bool:
        assert process.poll() is None, f"it ended with {process.returncode}:\n{screen.read_text()}"
        return output.read_text().endswith("\n")

    try:
        wait_until(is_ready, f"the nation is ready (see {screen})", READY_S_MAX)
    except AssertionError:
        process.send_signal(signal.SIGINT)
        raise
    return RunningNation(root, process, json.loads(output.read_text())["platforms"])


@pytest.fixture
def root() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="keisan-", dir="/tmp") as folder:
        yield Path(folder) / "nation"
        # What a kill has left running where the test failed before the next start.
        for process in list_processes(Path(folder) / "nation"):
            process.kill()


def list_processes(root: Path) -> list[psutil.Process]:
    """Return every living process that names the folder or one in it, but those that only keep bytecode there."""
    found = []
    for process in psutil.process_iter():
        try:
            is_ours = any(str(root) in word for word in process.cmdline())
            if is_ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def fetch(platform: dict[str, Any], path: str) -> Any:
    operator = json.loads((Path(platform["data_directory"]) / "operator.json").read_text())
    headers = {"authorization": f"Bearer {operator['api_key']}"}
    answer = httpx.get(f"{platform['platform_url']}{path}", headers=headers, timeout=30, trust_env=False)
    answer.raise_for_status()
    return answer.json()


def read_keys(platform: dict[str, Any]) -> dict[str, str]:
    found = json.loads(Path(platform["keys_path"]).read_text())
    assert isinstance(found, dict)
    return found


def ask(platform: dict[str, Any], key: str) -> httpx.Response:
    body = {"model": "smollm2-135m-instruct", "max_tokens": 4, "messages": [{"role": "user", "content": "Say hello."}]}
    headers = {"authorization": f"Bearer {key}"}
    return httpx.post(
        f"{platform['gateway_url']}/v1/chat/completions", json=body, headers=headers, timeout=60, trust_env=False
    )


def refuse(platform: dict[str, Any], key: str) -> tuple[int, str]:
    """Call with a key that is none there, and return the status and the code."""
    answer = ask(platform, key)
    return answer.status_code, answer.json()["error"]["code"]


def list_joined(platform: dict[str, Any]) -> dict[str, str]:
    """Return the regions of a platform's children by their ids."""
    links = fetch(platform, "/api/v1/links")["items"]
    return {
        link["neighbour_id"]: link["region"] for link in links if (link["side"], link["state"]) == ("child", "joined")
    }


def has_all_devices(platform: dict[str, Any]) -> bool:
    """Tell whether what its site plays is live, and the host's own processor beside it; a parent shows others' regions too."""
    own = fetch(platform, "/api/v1/platform")["region"]
    regions = fetch(platform, "/api/v1/telemetry/rollups?level=region")["items"]
    found = [int(region["counts"]["ok"]) for region in regions if region["region"] == own]
    return found == [int(platform["device_count"]) + 1]


def test_platforms_are_whole_share_nothing_and_outlive_a_kill(root: Path) -> None:
    nation = start_nation(root)
    try:
        assert [each["code"] for each in nation.platforms] == ["CN", "CN-SX", "CN-LN"]
        views = [fetch(each, "/api/v1/platform") for each in nation.platforms]
        assert [view["kind"] for view in views] == ["national", "regional", "regional"]
        assert [view["region"] for view in views] == ["CN-BJ", "CN-SX", "CN-LN"]
        assert len({view["id"] for view in views}) == 3
        assert [view["id"] for view in views] == [each["id"] for each in nation.platforms]
        assert list_joined(nation.find("CN")) == {views[1]["id"]: "CN-SX", views[2]["id"]: "CN-LN"}
        for each in nation.platforms:
            wait_until(partial(has_all_devices, each), f"{each['code']} tells what its site plays", 60.0)
            running = sorted((Path(each["data_directory"]) / "run").glob("*.json"))
            assert [path.stem for path in running] == sorted(PROCESSES), "three processes a platform"
        shanxi, liaoning = nation.find("CN-SX"), nation.find("CN-LN")
        [key, _] = read_keys(shanxi).values()
        assert ask(shanxi, key).status_code == 200
        # Another platform has other keys: nothing is shared. By what it was told of others it knows whose this one is.
        wait_until(lambda: refuse(liaoning, key) == (403, "key_not_admitted"), "it knows", 60.0)
        second = subprocess.run(build_command(root), capture_output=True, text=True, timeout=60, check=False)
        assert (second.returncode, "another" in second.stderr) == (6, True)
    finally:
        nation.stop(signal.SIGKILL)
    assert list_processes(root), "kill -9 leaves what it started running"
    again = start_nation(root)
    try:
        assert [each["id"] for each in again.platforms] == [each["id"] for each in nation.platforms]
        assert list_joined(again.find("CN")) == {views[1]["id"]: "CN-SX", views[2]["id"]: "CN-LN"}
        assert [each["platform_url"] for each in again.platforms] == [each["platform_url"] for each in nation.platforms]
        assert read_keys(again.find("CN-SX"))[next(iter(read_keys(again.find("CN-SX"))))] == key
        assert ask(again.find("CN-SX"), key).status_code == 200
        own = [process for process in list_processes(root) if process.pid != again.process.pid]
        engines = [process for process in own if "keisan.engines" in " ".join(process.cmdline())]
        # Three of each platform, and the one that most of them are forked from.
        assert (len(own) - len(engines), len(engines)) == (3 * 3 + 1, 2), "none of the first start is left beside them"
        killed = psutil.Process(json.loads((root / "CN-LN" / "run" / "platform.json").read_text())["pid"])
        killed.kill()

        def is_back() -> bool:
            try:
                return bool(fetch(again.find("CN-LN"), "/api/v1/platform")["id"])
            except httpx.HTTPError:
                return False

        wait_until(is_back, "a platform that was killed is back where it was", 90.0)
    finally:
        assert again.stop() == 0
    wait_until(lambda: not list_processes(root), "Ctrl-C has ended every process", 30.0)
