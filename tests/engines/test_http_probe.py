"""One GET over a unix socket."""

from pathlib import Path

import pytest

from keisan.engines.http_probe import ANSWER_BYTES_MAX, ProbeAnswer, fetch_answer, parse_answer
from tests.engines.answering import listen_on


async def test_answer_has_status_and_body(tmp_path: Path) -> None:
    async with listen_on(tmp_path / "s", b"HTTP/1.1 503 Loading\r\ncontent-length: 2\r\n\r\nno"):
        assert await fetch_answer(tmp_path / "s", "/health", 5) == ProbeAnswer(503, "no")


async def test_long_answer_is_cut(tmp_path: Path) -> None:
    async with listen_on(tmp_path / "s", b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 10 * ANSWER_BYTES_MAX):
        answer = await fetch_answer(tmp_path / "s", "/health", 5)
    assert len(answer.body) < 3 * ANSWER_BYTES_MAX


async def test_silence_ends_at_the_timeout(tmp_path: Path) -> None:
    async with listen_on(tmp_path / "s", None):
        with pytest.raises(TimeoutError):
            await fetch_answer(tmp_path / "s", "/health", 0.05)


async def test_nobody_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await fetch_answer(tmp_path / "s", "/health", 5)


@pytest.mark.parametrize(
    "received", [b"", b"\r\n\r\n", b"HTTP/2 200\r\n\r\n", b"HTTP/1.1 ok\r\n\r\n", b"SSH-2.0 200\r\n"]
)
def test_what_is_not_http_is_refused(received: bytes) -> None:
    with pytest.raises(ValueError, match="not HTTP"):
        parse_answer(received)
