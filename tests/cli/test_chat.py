"""`keisan chat`: the answer as it comes, a conversation that remembers, refusals in words. The gateway is a small server."""

import json
import os
import pty
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.cli.conftest import CommandLine
from tests.deadline import let_time_pass

CTRL_C, CTRL_D = b"\x03", b"\x04"
# The terminal becomes the one that controls the process, as a shell's window would be: TIOCSCTTY.
IN_TERMINAL = """
import fcntl, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from keisan.daemon.main import main
main()
"""


@dataclass
class SmallGateway:
    """Streams a fixed answer in two parts and keeps what it was asked."""

    models: list[str] = field(default_factory=lambda: ["small"])
    asked: list[dict[str, Any]] = field(default_factory=list)
    refusal: tuple[int, str] | None = None
    url: str = ""


def make_handler(gateway: SmallGateway) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(200, json.dumps({"data": [{"id": name} for name in gateway.models]}))

        def do_POST(self) -> None:
            gateway.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            if gateway.refusal is not None:
                code = gateway.refusal[1]
                self.answer(gateway.refusal[0], json.dumps({"error": {"code": code, "message": "no such model"}}))
                return
            events = [{"choices": [{"delta": {"content": part}}]} for part in ("The capital ", "is Tokyo.")]
            self.answer(200, "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n")

        def answer(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *arguments: object) -> None:
            pass

    return Handler


@pytest.fixture
def small_gateway() -> Iterator[SmallGateway]:
    gateway = SmallGateway()
    with ThreadingHTTPServer(("127.0.0.1", 0), make_handler(gateway)) as server:
        gateway.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield gateway
        server.shutdown()
        thread.join(10)


def test_question_is_answered(command_line: CommandLine, small_gateway: SmallGateway) -> None:
    answer = command_line.run("chat", "What is it?", "--temperature", "0", gateway_url=small_gateway.url)
    assert (answer.code, answer.out) == (0, "The capital is Tokyo.\n")
    [asked] = small_gateway.asked
    assert asked["messages"] == [{"role": "user", "content": "What is it?"}]
    assert (asked["model"], asked["temperature"]) == ("small", 0)


def test_json_is_one_object(command_line: CommandLine, small_gateway: SmallGateway) -> None:
    answer = command_line.run("chat", "What?", "--json", gateway_url=small_gateway.url)
    assert answer.told == {"model": "small", "content": "The capital is Tokyo."}


def test_conversation_remembers(command_line: CommandLine, small_gateway: SmallGateway) -> None:
    answer = command_line.run("chat", gateway_url=small_gateway.url, typed="What?\n\nAnd then?\n")
    assert answer.code == 0
    assert [message["role"] for message in small_gateway.asked[-1]["messages"]] == ["user", "assistant", "user"]


@contextmanager
def open_terminal(command_line: CommandLine, gateway: SmallGateway) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The real command, with a terminal of its own that a Ctrl-C typed at this end of it reaches."""
    here, there = pty.openpty()
    words = ["chat", "--url", command_line.platform_url, "--gateway-url", gateway.url, "--key", "sk-keisan-any"]
    process = subprocess.Popen(
        [sys.executable, "-c", IN_TERMINAL, *words],
        stdin=there,
        stdout=there,
        stderr=there,
        start_new_session=True,
    )
    os.close(there)
    try:
        yield process, here
    finally:
        process.kill()
        process.wait(10)
        os.close(here)


def read_until(terminal: int, text: str, deadline_s: float = 30.0) -> str:
    """Return what a terminal shows once it has shown `text`."""
    shown, end_s = "", time.monotonic() + deadline_s
    while text not in shown:
        left_s = end_s - time.monotonic()
        assert left_s > 0, shown
        if select.select([terminal], [], [], left_s)[0]:
            shown += os.read(terminal, 4096).decode(errors="replace")
    return shown


def test_ctrl_c_at_the_prompt_ends_it_at_once(command_line: CommandLine, small_gateway: SmallGateway) -> None:
    with open_terminal(command_line, small_gateway) as (process, terminal):
        read_until(terminal, "> ")
        os.write(terminal, b"What is it?\n")
        read_until(terminal, "Tokyo.\r\n> ")
        # Python writes the prompt before it waits, and does not hear of a signal in between; no hand is that fast.
        let_time_pass(0.5)
        os.write(terminal, CTRL_C)
        assert process.wait(10) == 130
        assert read_until(terminal, "\n") == "^C\r\n"


def test_ctrl_d_at_the_prompt_ends_it_well(command_line: CommandLine, small_gateway: SmallGateway) -> None:
    with open_terminal(command_line, small_gateway) as (process, terminal):
        read_until(terminal, "> ")
        os.write(terminal, CTRL_D)
        assert process.wait(10) == 0


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_what_is_no_text_is_told_and_the_talk_goes_on(
    command_line: CommandLine, small_gateway: SmallGateway, monkeypatch: pytest.MonkeyPatch, errors: str
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", f"utf-8:{errors}")
    with open_terminal(command_line, small_gateway) as (process, terminal):
        read_until(terminal, "> ")
        os.write(terminal, b"\xff\n")
        read_until(terminal, "expected text in UTF-8\r\n> ")
        os.write(terminal, CTRL_D)
        assert process.wait(10) == 0
    assert small_gateway.asked == []


def test_refused_message_is_forgotten_and_the_talk_goes_on(
    command_line: CommandLine, small_gateway: SmallGateway
) -> None:
    small_gateway.refusal = (404, "model_not_found")
    answer = command_line.run("chat", gateway_url=small_gateway.url, typed="one\ntwo\n")
    assert answer.code == 0
    assert [len(asked["messages"]) for asked in small_gateway.asked] == [1, 1]
    assert answer.aside.count("no such model") == 2


def test_refused_question_has_a_code(command_line: CommandLine, small_gateway: SmallGateway) -> None:
    small_gateway.refusal = (404, "model_not_found")
    assert command_line.run("chat", "hi", "--model", "x", gateway_url=small_gateway.url).code == 5


@pytest.mark.parametrize(("models", "code"), [([], 5), (["a", "b"], 2)])
def test_model_is_chosen_when_it_is_the_only_one(
    command_line: CommandLine, small_gateway: SmallGateway, models: list[str], code: int
) -> None:
    small_gateway.models = models
    answer = command_line.run("chat", "hi", gateway_url=small_gateway.url)
    assert answer.code == code


def test_conversation_as_json_is_a_usage_fault(command_line: CommandLine, small_gateway: SmallGateway) -> None:
    answer = command_line.run("chat", "--json", gateway_url=small_gateway.url)
    assert (answer.code, answer.told["error"]["code"]) == (2, "invalid_input")
