"""A letter's way to a parent's API: what answers is a letter, or a fault that says whether to try again."""

import base64
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from keisan.control.link_dial import ask_platform
from keisan.domain.errors import Failed, PlatformUnreachable

PROBLEM = b'{"type": "about:blank", "title": "x", "status": 401, "detail": "this invitation has expired", "code": "unauthenticated", "retryable": false}'
LETTER = b'{"letter": "%s"}' % base64.b64encode(b"the answer")


class Server:
    """A real server that gives one answer, and keeps what it was sent."""

    def __init__(self) -> None:
        self.answer: tuple[int, bytes] = (200, LETTER)
        self.taken: list[tuple[str, bytes]] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                owner.taken.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(owner.answer[0])
                self.send_header("content-length", str(len(owner.answer[1])))
                self.end_headers()
                self.wfile.write(owner.answer[1])

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._http = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


async def test_a_letter_is_answered_by_a_letter(server: Server) -> None:
    assert await ask_platform(server.url, b"the letter") == b"the answer"
    [(path, body)] = server.taken
    assert (path, b"the letter" in base64.b64decode(body.split(b'"')[3])) == ("/api/v1/links/ask", True)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ((401, PROBLEM), "this invitation has expired"),
        ((401, b"no"), "is no platform"),
        ((200, b"<html>"), "is no platform"),
        ((200, b'{"letter": "!"}'), "is no platform"),
        ((200, b" " * 2**21), "is no platform"),
        ((302, b""), "is no platform"),
    ],
)
async def test_whoever_answers_something_else_has_refused(server: Server, answer: tuple[int, bytes], text: str) -> None:
    server.answer = answer
    with pytest.raises(Failed, match=text):
        await ask_platform(server.url, b"the letter")


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_parent_that_cannot_answer_now_is_asked_again(server: Server, status: int) -> None:
    server.answer = (status, b"")
    with pytest.raises(PlatformUnreachable, match=str(status)):
        await ask_platform(server.url, b"the letter")


async def test_a_parent_that_is_not_there_is_asked_again(server: Server) -> None:
    with pytest.raises(PlatformUnreachable):
        await ask_platform("http://127.0.0.1:9", b"the letter")
    with pytest.raises(Failed, match="cannot be used"):
        await ask_platform("nation", b"the letter")
    assert not server.taken
