"""Logs: a line of JSON each, in UTC, secrets masked, failures with their traceback."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from keisan.domain.key import create_secret
from keisan.kit.observe import start_logs, write_failure, write_log, write_warning


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Logs as `start_logs` sends them; the runner's own handlers come back afterwards."""
    handlers, level, own_level = list(logging.root.handlers), logging.root.level, logging.getLogger("keisan").level
    stream = io.StringIO()
    start_logs("gateway", stream=stream)
    yield stream
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    logging.getLogger("keisan").setLevel(own_level)


def read_lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_start_is_the_first_line(stream: io.StringIO) -> None:
    (line,) = read_lines(stream)
    assert (line["event"], line["process"], line["level"]) == ("process.started", "gateway", "info")


def test_time_is_utc_and_says_so(stream: io.StringIO) -> None:
    (line,) = read_lines(stream)
    assert str(line["time"]).endswith("+00:00")


def test_fields_stand_beside_the_event(stream: io.StringIO) -> None:
    write_log("replica.ready", replica_id="r1", slots=4)
    write_warning("site.unknown", name="東京")
    ready, unknown = read_lines(stream)[1:]
    assert (ready["event"], ready["replica_id"], ready["slots"]) == ("replica.ready", "r1", 4)
    assert (unknown["level"], unknown["name"]) == ("warning", "東京")
    assert "東京" in stream.getvalue()


def test_secret_given_by_mistake_is_masked(stream: io.StringIO) -> None:
    secret = create_secret()
    write_log("key.created", key=secret, keys=[secret])
    assert secret.reveal() not in stream.getvalue()
    assert read_lines(stream)[1]["key"] == "Secret(****)"


def test_newline_in_a_field_stays_within_its_line(stream: io.StringIO) -> None:
    write_log("engine.said", text="one\ntwo")
    assert read_lines(stream)[1]["text"] == "one\ntwo"


def test_failure_carries_its_traceback(stream: io.StringIO) -> None:
    with pytest.raises(ValueError, match="invalid literal") as raised:
        int("broken")
    write_failure("lease.work_failed", raised.value, noun="site")
    line = read_lines(stream)[1]
    assert (line["level"], line["noun"]) == ("error", "site")
    assert "Traceback" in str(line["exception"])
    assert "ValueError: invalid literal" in str(line["exception"])


def test_libraries_speak_from_warnings_up_under_their_name(stream: io.StringIO) -> None:
    logging.getLogger("some.library").info("chatter")
    logging.getLogger("some.library").warning("slow")
    (line,) = read_lines(stream)[1:]
    assert (line["event"], line["source"]) == ("slow", "some.library")


def test_own_line_without_fields_has_no_source(stream: io.StringIO) -> None:
    logging.getLogger("keisan").warning("plain")
    (line,) = read_lines(stream)[1:]
    assert set(line) == {"time", "level", "event"}


def test_starting_twice_does_not_double_lines(stream: io.StringIO) -> None:
    start_logs("gateway", level="warning", stream=stream)
    write_log("not.shown")
    write_warning("shown")
    assert [line["event"] for line in read_lines(stream)] == ["process.started", "shown"]
