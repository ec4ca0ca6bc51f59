"""Running a process: faults become a line and a code, however deep in task groups; a signal becomes an event."""

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from keisan.daemon.serving import Work, announce_ready, find_first, run_process
from keisan.domain.errors import Failed, PlatformUnreachable, SettingsInvalid


def run(work: Work, log_path: Path) -> int:
    saved = os.dup(2)
    try:
        return run_process("test", work, "info", log_path)
    finally:
        os.dup2(saved, 2)
        os.close(saved)


async def fail_deep(stop: asyncio.Event) -> None:
    async def fail() -> None:
        raise SettingsInvalid("gateway.listen: expected x, got y")

    async with asyncio.TaskGroup() as outer:
        outer.create_task(stop.wait())
        async with asyncio.TaskGroup() as inner:
            inner.create_task(fail())


def test_fault_deep_in_groups_is_a_line_and_a_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(fail_deep, tmp_path / "log") == 2
    told = capsys.readouterr().err
    assert told.splitlines()[-1] == "keisan: gateway.listen: expected x, got y"
    assert "Traceback" not in told


def test_inside_text_is_told_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def fail(stop: asyncio.Event) -> None:
        raise PlatformUnreachable("the platform does not answer", "ConnectError")

    assert run(fail, tmp_path / "log") == 3
    assert capsys.readouterr().err.splitlines()[-2:] == ["keisan: the platform does not answer", "  (ConnectError)"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_sets_the_event(tmp_path: Path, number: signal.Signals) -> None:
    async def wait(stop: asyncio.Event) -> None:
        os.kill(os.getpid(), number)
        async with asyncio.timeout(30):
            await stop.wait()

    assert run(wait, tmp_path / "log") == 0
    events = [json.loads(line)["event"] for line in (tmp_path / "log").read_text().splitlines()]
    assert events == ["process.started", "process.ended"]


def test_defect_is_not_made_pretty(tmp_path: Path) -> None:
    async def fail(stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(break_down())

    async def break_down() -> None:
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup):
        run(fail, tmp_path / "log")


def test_first_of_nested_groups() -> None:
    fault = Failed("x")
    assert find_first(ExceptionGroup("a", [ExceptionGroup("b", [fault]), ValueError()])) is fault


def test_announcement_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    announce_ready(url="http://127.0.0.1:1")
    assert capsys.readouterr().out == '{"url": "http://127.0.0.1:1"}\n'
