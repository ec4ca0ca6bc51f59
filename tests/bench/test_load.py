"""The benches' load tells the truth: what it counts is what the engine served, and a cut stream is not a good call."""

import contextlib
import json
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from stage.cache import Programs, compile_programs
from stage.engine import Engine, Platform, start_engine, start_platform
from stage.load import LoadResult, Shape, run_load, start_load
from tests.deadline import let_time_pass, wait_until


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    """The stage's programs, compiled anew."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield compile_programs()


@pytest.fixture
def engine(programs: Programs, tmp_path: Path) -> Iterator[Engine]:
    """An engine of one replica."""
    started = start_engine(programs, tmp_path, "engine", replicas=1)
    yield started
    started.pinned.end()


@pytest.fixture
def platform(programs: Programs, tmp_path: Path) -> Iterator[Platform]:
    """A stand-in platform."""
    started = start_platform(programs, tmp_path)
    yield started
    started.pinned.end()


@pytest.fixture
def key_path(tmp_path: Path) -> Path:
    """A file with two keys."""
    path = tmp_path / "keys"
    path.write_text("sk-one\nsk-two\n")
    return path


def load(programs: Programs, port: int, key_path: Path, shape: Shape) -> LoadResult:
    return run_load(programs, (port,), key_path, shape)


@contextlib.contextmanager
def serve_text(text: bytes) -> Iterator[int]:
    """Answer every connection's first bytes with `text`, then close it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    one, _ = listener.accept()
                    with one:
                        one.recv(65536)
                        one.sendall(text)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)


@pytest.mark.parametrize("is_stream", [False, True])
def test_every_call_is_counted_on_both_sides(
    programs: Programs, engine: Engine, key_path: Path, is_stream: bool
) -> None:
    shape = Shape(8, 20.0, 0.0, is_stream=is_stream, calls=200)
    result = load(programs, engine.ports[0], key_path, shape)
    assert (result.ended, result.failed, result.told["statuses"]) == (200, 0, {"200": 200})
    assert engine.count("streams" if is_stream else "json") == 200
    assert result.get_us("latency", "p50") is not None


def test_large_prompts_arrive_whole(programs: Programs, engine: Engine, key_path: Path) -> None:
    result = load(programs, engine.ports[0], key_path, Shape(2, 20.0, 0.0, body_bytes=1 << 20, calls=10))
    assert (result.ended, result.failed, engine.count("json")) == (10, 0, 10)


def test_paced_stream_takes_its_time(programs: Programs, engine: Engine, key_path: Path) -> None:
    engine.set_pace_us(20_000)
    result = load(programs, engine.ports[0], key_path, Shape(4, 20.0, 0.0, is_stream=True, calls=4))
    fastest_us = 67 * 20_000
    assert (result.get_us("latency", "p50") or 0) >= fastest_us
    assert (result.get_us("first_byte", "p50") or fastest_us) < fastest_us


def test_open_loop_keeps_its_rate(programs: Programs, engine: Engine, key_path: Path) -> None:
    result = load(programs, engine.ports[0], key_path, Shape(64, 1.0, 0.0, rate_per_s=500.0))
    # What a host that stands still keeps from being sent is told.
    assert 350 < result.ended + result.told["unsent"] < 650
    assert result.failed == 0


def test_what_falls_due_while_the_host_stands_still_to_the_end_is_told(
    programs: Programs, engine: Engine, key_path: Path
) -> None:
    running = start_load(programs, (engine.ports[0],), key_path, Shape(64, 2.0, 0.0, rate_per_s=500.0))
    wait_until(lambda: engine.count("json") > 0, "it has begun")
    running.process.send_signal(signal.SIGSTOP)
    let_time_pass(2.5)
    running.process.send_signal(signal.SIGCONT)
    result = running.finish()
    assert result.told["unsent"] > 0
    assert 700 < result.ended + result.told["unsent"] < 1300


HEAD = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        (HEAD + b"9\r\ndata: a\n\n\r\n0\r\n\r\n", "not_done"),
        (HEAD + b"9\r\ndata: a\n\n\r\n", "lost"),
        (HEAD + b"zz\r\n", "broken"),
        (b"", "lost"),
    ],
)
def test_stream_that_is_not_whole_is_no_good_call(
    programs: Programs, key_path: Path, text: bytes, counted: str
) -> None:
    with serve_text(text) as port:
        result = load(programs, port, key_path, Shape(1, 20.0, 0.0, is_stream=True, calls=3))
    assert (result.ended, result.failed, result.told[counted]) == (3, 3, 3)


def test_refusals_are_counted_by_their_code(programs: Programs, key_path: Path) -> None:
    body = b'{"error":{"message":"full","code":"queue_full"}}'
    answer = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s" % (
        len(body),
        body,
    )
    with serve_text(answer) as port:
        result = load(programs, port, key_path, Shape(1, 20.0, 0.0, calls=2))
    assert (result.failed, result.told["statuses"], result.told["codes"]) == (2, {"503": 2}, {"queue_full": 2})


def test_nobody_listening_is_refused(programs: Programs, key_path: Path) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        result = load(programs, unheard.getsockname()[1], key_path, Shape(1, 20.0, 0.0, calls=2))
    assert (result.ended, result.told["refused"]) == (2, 2)


def test_platform_knows_a_record_again(platform: Platform) -> None:
    texts = [f'{{"schema_version":1,"record_id":"019ab000-0000-7000-8000-00000000000{digit}"}}\n' for digit in "121"]
    told = httpx.post(f"{platform.url}/api/v1/gateway/usage", content="".join(texts)).json()
    assert told["created_count"] == 2
    assert [(one["position"], one["outcome"]) for one in told["answers"]] == [(2, "exists")]
    assert told["answers"][0]["record_id"].endswith("1")
    assert (platform.count(), platform.count("repeated"), platform.count("batches")) == (3, 1, 1)


def test_platform_leases_to_whom_credit_is_wanted_for(platform: Platform) -> None:
    incarnation, wanting = ("019ab000-0000-7000-8000-00000000000a", "019ab000-0001-7000-8000-000000000001")

    def exchange(*holders: str) -> dict[str, Any]:
        wanted = [{"holder_id": one, "wanted_nano": "5"} for one in holders]
        report = json.dumps({"incarnation": incarnation, "wanted": wanted}, separators=(",", ":"))
        answer = httpx.post(f"{platform.url}/api/v1/gateway/credit", content=report).json()
        assert isinstance(answer, dict)
        return answer

    assert exchange()["tickets"] == []
    first = exchange(wanting)
    assert [one["holder_id"] for one in first["tickets"]] == [wanting]
    assert first["default_share_ppm"] == 1_000_000
    assert exchange() == first
