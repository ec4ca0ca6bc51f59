"""The server process: what it tells when it cannot start. With a real model it runs in tests/contracts/engines."""

import os
import sys
from pathlib import Path

import pytest

from keisan.engines import llama_cpp_server
from keisan.engines.base import LaunchRequest
from keisan.engines.llama_cpp import LlamaCpp


def run_main(config_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["llama_cpp_server", "--config", str(config_path)])
    return llama_cpp_server.main()


def test_missing_configuration_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(tmp_path / "nothing.json", monkeypatch) == 1
    assert "nothing.json" in capsys.readouterr().err


def test_wrong_configuration_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.json").write_text("{}")
    assert run_main(tmp_path / "a.json", monkeypatch) == 1
    assert "configuration of the llama_cpp engine" in capsys.readouterr().err


def test_missing_weights_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "umask", lambda _mask: 0)
    request = LaunchRequest("m", tmp_path / "no.gguf", 1, 64, 1, tmp_path / "a.sock", tmp_path / "a.json", tmp_path)
    (tmp_path / "a.json").write_text(LlamaCpp().plan(request).config_text)
    assert run_main(tmp_path / "a.json", monkeypatch) == 1
    assert "llama.cpp did not start" in capfd.readouterr().err
