"""The one client transport: bearer, timeouts, limits, and no proxy from the environment."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from keisan.kit.http import HttpTarget, TargetInvalid, open_async_client, open_client


class _Echo(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = (self.headers.get("authorization") or "none").encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing: what is served is what the test reads."""


@pytest.fixture
def base_url() -> Iterator[str]:
    """A real server on loopback that answers with the authorization it was sent."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_bearer_is_sent(base_url: str) -> None:
    with open_client(HttpTarget(base_url, bearer="sk-1")) as client:
        assert client.get("/x").text == "Bearer sk-1"
    with open_client(HttpTarget(base_url)) as client:
        assert client.get("/x").text == "none"


async def test_async_client_is_the_same(base_url: str) -> None:
    async with open_async_client(HttpTarget(base_url, bearer="sk-1", timeout_s=3.0)) as client:
        assert (await client.get("/x")).text == "Bearer sk-1"
        assert client.timeout == httpx.Timeout(3.0)


def test_proxy_of_the_environment_is_not_used(base_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing listens on port 9: a client that took the proxy would fail.
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with open_client(HttpTarget(base_url)) as client:
        assert client.get("/x").status_code == 200


def test_every_call_has_a_timeout() -> None:
    with open_client(HttpTarget("http://127.0.0.1:9", timeout_s=2.5)) as client:
        assert client.timeout == httpx.Timeout(2.5)


@pytest.mark.parametrize(("name", "reason"), [("broken.pem", "there is none in it"), ("gone.pem", "No such file")])
def test_named_certificate_file_is_the_one_that_is_trusted(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "broken.pem").write_text("no certificate", encoding="utf-8")
    with pytest.raises(TargetInvalid, match=reason) as caught:
        open_client(HttpTarget("https://platform.example", ca_path=str(tmp_path / name)))
    assert (caught.value.part, name in str(caught.value)) == ("ca_path", True)


@pytest.mark.parametrize("bearer", ["k\N{LATIN SMALL LETTER E WITH ACUTE}y", "a\nb", "two words", "\udcff", "\x7f"])
def test_bearer_that_no_header_can_hold_is_refused_and_not_quoted(bearer: str) -> None:
    with pytest.raises(TargetInvalid) as caught:
        open_client(HttpTarget("http://platform.example", bearer))
    assert (caught.value.part, bearer in str(caught.value)) == ("bearer", False)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "gopher://x",
        "http://",
        "http://[",
        "http://a b",
        "http://h:99999",
        "http://h:x",
        "http://\udcff",
    ],
)
def test_url_that_leads_nowhere_is_refused(url: str) -> None:
    with pytest.raises(TargetInvalid) as caught:
        open_client(HttpTarget(url))
    assert caught.value.part == "base_url"
    # What is shown can be shown: it has no half characters.
    assert str(caught.value).encode()


@pytest.mark.parametrize("url", ["http://[::1]:80", "http://[fe80::1%25eth0]", "http://\u65e5\u672c.jp:65535/x"])
def test_url_of_any_host_passes(url: str) -> None:
    with open_client(HttpTarget(url)) as client:
        assert client.base_url.host


async def test_https_trusts_the_system_without_a_file() -> None:
    async with open_async_client(HttpTarget("https://platform.example")) as client:
        assert client.base_url.scheme == "https"


def test_target_does_not_print_its_bearer() -> None:
    assert "mk-keisan-secret" not in repr(HttpTarget("http://127.0.0.1:1", "mk-keisan-secret"))
