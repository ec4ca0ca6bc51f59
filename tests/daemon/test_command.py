"""The console script as typed: help, settings faults together, completion, quick processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from keisan.daemon.command import find_data_directory
from keisan.daemon.listener import bind_listener
from keisan.daemon.settings_address import Address


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: text for name, text in os.environ.items() if not name.startswith(("KEISAN_", "_KEISAN"))}
    command = [sys.executable, "-m", "keisan.daemon.main", *words]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env={**clean, **environment}
    )


def test_help_names_every_command() -> None:
    done = run("--help")
    assert done.returncode == 0
    for name in (
        "up",
        "platform",
        "gateway",
        "door",
        "site",
        "node",
        "status",
        "chat",
        "keys",
        "models",
        "deploy",
        "usage",
        "logs",
    ):
        assert f" {name} " in done.stdout


@pytest.mark.parametrize("name", ["up", "platform", "gateway", "door", "site", "node"])
def test_faults_come_together_and_nothing_starts(tmp_path: Path, name: str) -> None:
    data = tmp_path / "data"
    config = tmp_path / "keisan.toml"
    config.write_text('[gateway]\nlisten = "x"\n[platform]\nlisten = "y"\n[site]\nunknown = 1\n')
    done = run(name, "--data", str(data), "--config", str(config), KEISAN_UNKNOWN="1")
    assert done.returncode == 2
    told = done.stderr.splitlines()
    assert [line.rpartition("keisan: ")[2].partition(":")[0] for line in told] == [
        "KEISAN_UNKNOWN",
        "platform.listen",
        "gateway.listen",
        "site.unknown",
    ]
    assert not data.exists()


def test_listening_beyond_this_host_is_refused(tmp_path: Path) -> None:
    done = run("up", "--data", str(tmp_path / "data"), "--gateway", "0.0.0.0:0", "--platform", "127.0.0.1:0")
    assert (done.returncode, "a certificate, or insecure = true" in done.stderr) == (2, True)


def test_taken_address_is_told_before_anything_starts(tmp_path: Path) -> None:
    with bind_listener(Address("127.0.0.1", 0)) as listener:
        listener.listen()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        done = run("up", "--data", str(tmp_path / "data"), "--gateway", address, "--platform", "127.0.0.1:0")
    assert (done.returncode, address in done.stderr, "Traceback" in done.stderr) == (2, True, False)
    assert not list((tmp_path / "data" / "run").iterdir())


def test_certificate_that_is_none_is_told_in_a_line(tmp_path: Path) -> None:
    data, named = ("--data", str(tmp_path / "data")), ("--certificate", __file__, "--certificate-key", __file__)
    done = run("platform", *data, *named, "--listen", "127.0.0.1:0")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert f"keisan: platform: expected a certificate and its key (PEM), got {__file__} and" in done.stderr


def test_nothing_known_here_is_told_in_a_line(tmp_path: Path) -> None:
    done = run("status", KEISAN_DATA_DIRECTORY=str(tmp_path))
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "keisan: no platform is known here: start one with `keisan up`, or name one with --url\n"


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (("--key", "k\xe9y"), "api_key"),
        (("--key", "k\udcff"), "api_key"),
        (("--key", "k", "--ca", "/nowhere/ca.pem"), "ca_path"),
        (("--key", "k", "--ca", __file__), "ca_path"),
        (("--key", "k", "--url", "http://h:x"), "base_url"),
        (("--key", "k", "--url", "http://\udcff"), "base_url"),
        (("--key", "k", "--gateway-url", "nonsense"), "gateway_url"),
        (("--key", "k", "--project", "\udcff"), "project"),
    ],
)
def test_what_no_request_can_be_sent_with_is_told_in_a_line(tmp_path: Path, words: tuple[str, ...], field: str) -> None:
    named = ("usage", "--url", "https://127.0.0.1:1", *words)
    done = run(*named, KEISAN_DATA_DIRECTORY=str(tmp_path))
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert done.stderr.startswith("keisan: expected ")
    assert done.stderr.endswith(f" ({field})\n")
    told = run(*named, "--json", KEISAN_DATA_DIRECTORY=str(tmp_path))
    assert (told.returncode, told.stderr) == (2, "")
    assert json.loads(told.stdout)["error"]["code"] == "invalid_input"


def test_data_directory_of_the_settings_file_is_used(tmp_path: Path) -> None:
    named, usual = tmp_path / "named", tmp_path / "usual"
    config = tmp_path / "keisan.toml"
    config.write_text(f'data_directory = "{named}"\n')
    # Ends before it starts anything, for its want of a token, and has made its folder by then.
    done = run("site", "--config", str(config), XDG_DATA_HOME=str(usual))
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert (named.exists(), usual.exists()) == (True, False)


def test_data_directory_follows_the_desktop_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert find_data_directory() == tmp_path / "keisan"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert find_data_directory() == tmp_path / "home" / ".local" / "share" / "keisan"


def test_shell_completion() -> None:
    script = "import sys; sys.argv = ['keisan']; from keisan.daemon.main import main; main()"
    asked = {"_KEISAN_COMPLETE": "complete_bash", "COMP_WORDS": "keisan statu", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **asked},
    )
    assert done.stdout.split() == ["status"]
