"""Progress: plain lines without a terminal, one spinner on one."""

import io

import pytest
from rich.console import Console

from keisan.daemon.progress import Progress


def test_progress_without_a_terminal_is_lines(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(Console(force_terminal=False))
    for text in ("starting", "starting", "[ready]"):
        progress.tell(text)
    progress.finish("done")
    assert capsys.readouterr().out == "keisan: starting\nkeisan: [ready]\ndone\n"


def test_progress_on_a_terminal_is_taken_away() -> None:
    screen = io.StringIO()
    progress = Progress(Console(file=screen, force_terminal=True))
    progress.tell("starting the gateway")
    progress.tell("loading the weights")
    progress.finish("ready")
    progress.finish()
    assert "ready\n" in screen.getvalue()
    assert "\x1b[?25h" in screen.getvalue(), "the cursor is shown again"
