"""The official openai client against a real platform with a real model: every surface, every error."""

from typing import Any

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.deadline import wait_until
from tests.e2e.stack import MODEL, Stack

# The first test starts the platform.
pytestmark = [pytest.mark.e2e, pytest.mark.waits]
QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is the capital of Japan?"}]


def test_chat_answers_the_question(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=QUESTION, temperature=0)
    assert "Tokyo" in (answer.choices[0].message.content or "")
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == MODEL
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


def test_stream_hides_usage_that_nobody_asked_for(client: openai.OpenAI) -> None:
    chunks = list(client.chat.completions.create(model=MODEL, messages=QUESTION, temperature=0, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert "Tokyo" in text
    assert chunks[-1].choices[0].finish_reason == "stop"
    for chunk in chunks:
        assert chunk.choices, "the usage chunk has no choices"
        assert chunk.usage is None
        assert "timings" not in (chunk.model_extra or {}), "what the relay asked for stays with the relay"


def test_stream_carries_usage_when_asked(client: openai.OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model=MODEL, messages=QUESTION, temperature=0, stream=True, stream_options={"include_usage": True}
        )
    )
    assert not chunks[-1].choices
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens > 0
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_legacy_completions_answer_whole_and_as_stream(client: openai.OpenAI) -> None:
    prompt = "The capital of Japan is"
    whole = client.completions.create(model=MODEL, prompt=prompt, max_tokens=8, temperature=0)
    assert "Tokyo" in whole.choices[0].text
    assert whole.usage is not None
    assert whole.usage.completion_tokens <= 8
    stream = client.completions.create(model=MODEL, prompt=prompt, max_tokens=8, temperature=0, stream=True)
    events = list(stream)
    assert "".join(event.choices[0].text for event in events) == whole.choices[0].text
    assert all(event.usage is None for event in events)
    asked = client.completions.create(
        model=MODEL, prompt=prompt, max_tokens=8, temperature=0, stream=True, stream_options={"include_usage": True}
    )
    usages = [event.usage for event in asked if event.usage is not None]
    assert [usage.completion_tokens for usage in usages] == [whole.usage.completion_tokens]


def test_model_list_and_one_model(client: openai.OpenAI) -> None:
    listed = client.models.list().data
    assert [model.id for model in listed] == [MODEL]
    assert client.models.retrieve(MODEL).id == MODEL
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("nobody")
    assert caught.value.code == "model_not_found"


def test_absent_max_tokens_is_bounded_and_named(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=QUESTION, temperature=0)
    assert int(raw.headers["keisan-max-tokens"]) > 0
    assert raw.headers["keisan-record-id"]
    assert "llama" not in raw.headers.get("server", "")


BAD_REQUESTS: list[tuple[str, dict[str, Any], str, str | None]] = [
    ("unknown role", {"messages": [{"role": "wizard", "content": "hi"}]}, "invalid_value", "messages[0].role"),
    ("no messages", {"messages": []}, "invalid_value", "messages"),
    ("wrong type", {"messages": "hi"}, "invalid_type", "messages"),
    ("wrong type within", {"messages": [{"role": "user", "content": 5}]}, "invalid_type", "messages[0].content"),
    ("n above one", {"n": 2}, "unsupported_value", "n"),
    ("max_tokens zero", {"max_tokens": 0}, "invalid_value", "max_tokens"),
    ("max_tokens as text", {"max_tokens": "5"}, "invalid_type", "max_tokens"),
    ("temperature too high", {"temperature": 9}, "invalid_value", "temperature"),
    ("an engine's private field", {"extra_body": {"n_predict": 99999}}, "unknown_parameter", "n_predict"),
]


@pytest.mark.parametrize(
    ("change", "code", "param"), [case[1:] for case in BAD_REQUESTS], ids=[c[0] for c in BAD_REQUESTS]
)
def test_bad_request_names_the_field(
    client: openai.OpenAI, change: dict[str, Any], code: str, param: str | None
) -> None:
    arguments: dict[str, Any] = {"model": MODEL, "messages": QUESTION} | change
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**arguments)
    assert (caught.value.code, caught.value.param) == (code, param)
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["retryable"] is False


def test_missing_fields_are_named(stack: Stack) -> None:
    for body, param in (({"messages": QUESTION}, "model"), ({"model": MODEL}, "messages")):
        answer = post_raw(stack, body)
        assert answer.status_code == 400
        assert (answer.json()["error"]["code"], answer.json()["error"]["param"]) == ("missing_field", param)


def test_malformed_json_is_refused(stack: Stack) -> None:
    for text in ("", "{", '{"model": }', "[]", "\xff"):
        answer = httpx.post(
            f"{stack.gateway_url}/v1/chat/completions",
            content=text.encode("latin-1"),
            headers={"authorization": f"Bearer {stack.api_key}", "content-type": "application/json"},
            timeout=60,
        )
        assert answer.status_code == 400, text
        assert answer.json()["error"]["code"] in ("invalid_json", "invalid_type"), text


def test_wrong_key_is_refused(stack: Stack) -> None:
    with (
        openai.OpenAI(base_url=f"{stack.gateway_url}/v1", api_key="sk-keisan-wrong", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        stranger.chat.completions.create(model=MODEL, messages=QUESTION)
    assert caught.value.code == "invalid_api_key"


def test_missing_key_is_refused(stack: Stack) -> None:
    answer = httpx.post(
        f"{stack.gateway_url}/v1/chat/completions", json={"model": MODEL, "messages": QUESTION}, timeout=60
    )
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"


@pytest.fixture
def project_id(stack: Stack) -> str:
    """The project that `keisan up` made."""
    projects = stack.open_api().get("/api/v1/projects").json()["items"]
    return str(projects[0]["id"])


def create_key(stack: Stack, project_id: str, **fields: Any) -> tuple[str, str]:
    """Make a key and return its id and secret once the gateway knows it."""
    api = stack.open_api()
    answer = api.post("/api/v1/keys", json={"name": "test", "project_id": project_id, **fields})
    assert answer.status_code == 201, answer.text
    wait_for_gateways(stack, answer.json()["snapshot_version"])
    return answer.json()["key"]["id"], answer.json()["secret"]


def wait_for_gateways(stack: Stack, version: int) -> None:
    """Wait until every gateway has acknowledged a snapshot version; that it hears within R10's 2 s is tested on a test's clock."""
    api = stack.open_api()

    def have_acknowledged() -> bool:
        gateways = api.get("/api/v1/gateways").json()["items"]
        return bool(gateways) and all(gateway["acknowledged_version"] >= version for gateway in gateways)

    wait_until(have_acknowledged, f"gateways serve version {version}")


def test_revoked_key_is_refused_once_gateways_have_acknowledged(stack: Stack, project_id: str) -> None:
    key_id, secret = create_key(stack, project_id)
    with openai.OpenAI(base_url=f"{stack.gateway_url}/v1", api_key=secret, max_retries=0) as client:
        client.models.list()
        answer = stack.open_api().post(f"/api/v1/keys/{key_id}/revoke")
        assert answer.status_code == 200, answer.text
        wait_for_gateways(stack, answer.json()["snapshot_version"])
        with pytest.raises(openai.AuthenticationError):
            client.models.list()


def test_key_without_the_right_is_denied(stack: Stack, project_id: str) -> None:
    _, secret = create_key(stack, project_id, role="auditor")
    with (
        openai.OpenAI(base_url=f"{stack.gateway_url}/v1", api_key=secret, max_retries=0) as auditor,
        pytest.raises(openai.PermissionDeniedError) as caught,
    ):
        auditor.chat.completions.create(model=MODEL, messages=QUESTION)
    assert caught.value.code == "permission_denied"


def test_unknown_model_names_those_available_to_this_key(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="gpt-99", messages=QUESTION)
    assert caught.value.code == "model_not_found"
    assert MODEL in str(caught.value)


def test_body_over_the_limit_is_refused(client: openai.OpenAI) -> None:
    huge: list[ChatCompletionMessageParam] = [{"role": "user", "content": "a" * 5_000_000}]
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model=MODEL, messages=huge)
    assert caught.value.status_code == 413
    assert caught.value.code == "body_too_large"


def test_prompt_over_the_context_names_both_numbers(client: openai.OpenAI) -> None:
    long: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hi " * 5000}]
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=MODEL, messages=long)
    assert caught.value.code == "context_length_exceeded"
    assert "2048" in str(caught.value)
    numbers = [int(word) for word in str(caught.value).replace(",", " ").replace(".", " ").split() if word.isdigit()]
    assert any(number > 5000 for number in numbers), "the prompt's own length in tokens"


def post_raw(stack: Stack, body: Any) -> httpx.Response:
    """Post a body as it is, past the client's own checks."""
    return httpx.post(
        f"{stack.gateway_url}/v1/chat/completions",
        json=body,
        headers={"authorization": f"Bearer {stack.api_key}"},
        timeout=60,
    )


def test_error_texts_are_free_of_internals(stack: Stack) -> None:
    for body in (
        {"model": MODEL, "messages": [{"role": "x"}]},
        {"model": MODEL, "messages": [{"role": "user", "content": "hi " * 5000}]},
    ):
        text = post_raw(stack, body).text
        for internal in (".sock", "/tmp", "llama", "xllamacpp", "json.exception", "hyper", "panicked"):
            assert internal not in text
