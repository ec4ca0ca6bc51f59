"""The end of a log."""

from pathlib import Path

from keisan.agent.log_tail import LogTail
from keisan.domain.limits import LOG_TAIL_CHARACTERS_MAX


def test_no_log_is_no_tail(tmp_path: Path) -> None:
    assert LogTail(tmp_path / "a.log").read() == ""


def test_short_log_is_whole_and_follows_the_file(tmp_path: Path) -> None:
    tail = LogTail(tmp_path / "a.log")
    (tmp_path / "a.log").write_text("one\n")
    assert tail.read() == "one\n"
    (tmp_path / "a.log").write_text("one\ntwo\n")
    assert tail.read() == "one\ntwo\n"
    (tmp_path / "a.log").unlink()
    assert tail.read() == ""


def test_long_log_ends_with_whole_lines(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("".join(f"line {number}\n" for number in range(10_000)))
    text = LogTail(tmp_path / "a.log").read()
    assert len(text) <= LOG_TAIL_CHARACTERS_MAX
    assert text.startswith("line ")
    assert text.endswith("line 9999\n")


def test_endless_line_is_cut(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes("é".encode() * LOG_TAIL_CHARACTERS_MAX)
    assert 0 < len(LogTail(tmp_path / "a.log").read()) <= LOG_TAIL_CHARACTERS_MAX
