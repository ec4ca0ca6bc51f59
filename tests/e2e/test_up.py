"""`keisan up` as a person uses it: starts, says what to paste, ends whole, keeps everything, cleans up after a crash."""

import json
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.deadline import wait_until
from tests.e2e.ledger import ask, list_records, wait_for_upload
from tests.e2e.stack import Stack, build_command, start_stack

pytestmark = [pytest.mark.e2e, pytest.mark.waits]


@pytest.fixture
def data() -> Iterator[Path]:
    """A short folder, because the path of an engine's socket ends at 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="keisan-", dir="/tmp") as folder:
        yield Path(folder) / "data"


def list_engines(stack: Stack) -> list[psutil.Process]:
    return [process for process in stack.list_processes() if "keisan.engines" in " ".join(process.cmdline())]


def ask_once(stack: Stack, key: str) -> str:
    """Make one call and return its record's id."""
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=stack.gateway_url, headers=headers, timeout=60, trust_env=False) as client:
        return ask(client, is_stream=False, prompt="Say hello.").record_id


def test_second_start_keeps_keys_usage_and_balances(data: Path) -> None:
    first = start_stack(data)
    assert first.api_key is not None
    record_id = ask_once(first, first.api_key)
    wait_for_upload(first)
    before = first.open_api().get("/api/v1/accounts").json()["items"]
    assert first.stop() == 0
    wait_until(lambda: not first.list_processes(), "Ctrl-C has stopped every process", 20.0)

    second = start_stack(data)
    try:
        assert second.api_key is None, "a key is shown once"
        assert record_id in list_records(second)
        assert second.open_api().get("/api/v1/accounts").json()["items"] == before
        ask_once(second, first.api_key)
    finally:
        assert second.stop() == 0
    wait_until(lambda: not second.list_processes(), "Ctrl-C has stopped every process", 20.0)


def test_start_after_kill_nine_of_up_adopts_the_engine_and_leaves_no_stranger(data: Path) -> None:
    first = start_stack(data)
    assert first.api_key is not None
    old = list_engines(first)
    first.stop(signal.SIGKILL)
    second = start_stack(data)
    try:
        ask_once(second, first.api_key)
        # Adopted, as docs/decisions/0012 says: the same processes, by pid and time of start, and no others.
        assert list_engines(second) == old
        assert len(old) == 1
    finally:
        assert second.stop() == 0
    wait_until(lambda: not second.list_processes(), "every process has ended", 20.0)


def test_second_up_on_the_same_folder_is_refused(data: Path) -> None:
    first = start_stack(data)
    try:
        second = subprocess.run(build_command(data), capture_output=True, text=True, timeout=30, check=False)
        assert second.returncode != 0
        assert str(data) in second.stderr
        assert "Traceback" not in second.stderr
    finally:
        first.stop()


def test_settings_faults_are_reported_together_and_nothing_starts(data: Path) -> None:
    command = [*build_command(data, gateway="nonsense", platform="127.0.0.1:99999")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 2
    assert "nonsense" in ended.stderr
    assert "99999" in ended.stderr
    assert ended.stderr.count("expected") >= 2
    assert not (data / "platform").exists()


def test_pasted_curl_answers(data: Path) -> None:
    """Take the curl line from what a person sees, paste it into a shell, and read the answer.

    The one start here that downloads its weights, as a person's first one does.
    """
    command = [part for part in build_command(data) if part != "--json"]
    output = data.parent / "screen"
    with output.open("wb") as screen:
        process = subprocess.Popen(command, stdout=screen, stderr=screen, start_new_session=True)
    try:
        wait_until(lambda: "curl" in output.read_text(), "the screen shows a curl line", 120.0)
        wait_until(lambda: output.read_text().endswith("\n"), "the screen is complete", 30.0)
        pasted = read_curl_line(output.read_text())
        answer = subprocess.run(["bash", "-c", pasted], capture_output=True, text=True, timeout=60, check=True)
        assert "Tokyo" in json.loads(answer.stdout)["choices"][0]["message"]["content"]
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


def read_curl_line(screen: str) -> str:
    """Return the curl command on a screen with its continuation lines."""
    start = screen.index("curl ")
    lines: list[str] = []
    for line in screen[start:].splitlines():
        lines.append(line.rstrip())
        if not line.rstrip().endswith("\\"):
            break
    text = "\n".join(lines)
    assert shlex.split(text.replace("\\\n", " "))[0] == "curl"
    return text
