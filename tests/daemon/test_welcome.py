"""What is printed when ready: a call that works when pasted, the key once, one object for scripts."""

import json
import shlex
from pathlib import Path

import pytest

from keisan.daemon.welcome import Ready, format_call, format_welcome, print_ready
from keisan.domain.key import Secret

FIRST = Ready("http://127.0.0.1:8000", "http://127.0.0.1:8080", Secret("sk-keisan-x"), "small")
LATER = Ready("http://127.0.0.1:8000", "http://127.0.0.1:8080", None, "small")


def test_call_is_one_shell_command() -> None:
    words = shlex.split(format_call(FIRST).replace("\\\n", " "))
    assert words[:3] == ["curl", "-s", "http://127.0.0.1:8000/v1/chat/completions"]
    assert "Authorization: Bearer sk-keisan-x" in words
    body = json.loads(words[words.index("-d") + 1])
    assert (body["model"], body["temperature"]) == ("small", 0)
    assert body["messages"] == [{"role": "user", "content": "What is the capital of Japan?"}]


def test_later_starts_take_the_key_from_the_shell() -> None:
    assert '"Authorization: Bearer $KEISAN_API_KEY"' in format_call(LATER)
    assert "as before" in format_welcome(LATER)


def test_certificate_is_trusted_by_name() -> None:
    ready = Ready("https://a:1", "https://a:2", None, "small", Path("/a b/c.pem"))
    assert "--cacert '/a b/c.pem' https://a:1/v1" in format_call(ready)


@pytest.mark.parametrize(("ready", "key"), [(FIRST, "sk-keisan-x"), (LATER, None)])
def test_json_is_one_object(ready: Ready, key: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    print_ready(ready, is_json=True)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out) == {
        "gateway_url": "http://127.0.0.1:8000",
        "platform_url": "http://127.0.0.1:8080",
        "api_key": key,
    }
