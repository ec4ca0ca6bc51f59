"""Calls through a gateway: text as it comes, its errors as ours, a cut told as a cut."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from keisan.domain.errors import (
    EngineUnavailable,
    InvalidInput,
    KeisanError,
    NotFound,
    PlatformUnreachable,
    Unauthenticated,
)
from keisan.sdk import AsyncKeisan, ChatMessage, ChatOptions
from keisan.sdk.gateway import AsyncGateways
from tests.sdk.platform import Answer, script, script_transport

QUESTION = (ChatMessage("user", "What is the capital of Japan?"),)


def open_gateway(answer: Answer) -> AsyncGateways:
    return AsyncGateways(script_transport(answer), script(answer))


def format_events(*events: object) -> bytes:
    return b"".join(f"data: {json.dumps(event)}\n\n".encode() for event in events)


def build_event(text: str) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": {"content": text}}]}


async def collect(gateways: AsyncGateways, options: ChatOptions | None = None) -> list[str]:
    return [text async for text in gateways.chat("smollm2", QUESTION, options or ChatOptions())]


async def test_text_comes_piece_by_piece() -> None:
    seen: list[dict[str, object]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(json.loads(request.content))
        role = {"choices": [{"index": 0, "delta": {"role": "assistant"}}]}
        usage = {"choices": [], "usage": {"prompt_tokens": 1}}
        body = format_events(role, build_event("To"), build_event("kyo"), usage) + b": comment\n\ndata: [DONE]\n\n"
        return httpx.Response(200, content=body)

    assert await collect(open_gateway(answer), ChatOptions(output_tokens_max=9, temperature=0)) == ["To", "kyo"]
    assert seen == [
        {
            "model": "smollm2",
            "messages": [{"role": "user", "content": "What is the capital of Japan?"}],
            "stream": True,
            "max_tokens": 9,
            "temperature": 0,
        }
    ]


@pytest.mark.parametrize(("status", "kind"), [(401, Unauthenticated), (404, NotFound), (400, InvalidInput)])
async def test_refusal_is_raised(status: int, kind: type[KeisanError]) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(status, json={"error": {"message": "no", "type": "x", "code": "y"}})

    with pytest.raises(kind, match="no"):
        await collect(open_gateway(answer))
    with pytest.raises(kind, match="no"):
        await open_gateway(answer).list_models()


async def test_error_within_the_stream_is_raised_after_what_came() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        body = format_events(build_event("To"), {"error": {"message": "the engine died", "code": "engine_cut"}})
        return httpx.Response(200, content=body)

    texts = open_gateway(answer).chat("smollm2", QUESTION)
    assert await anext(texts) == "To"
    with pytest.raises(EngineUnavailable, match="the engine died"):
        await anext(texts)


async def test_stream_without_its_end_is_a_cut() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=format_events(build_event("To")))

    with pytest.raises(EngineUnavailable, match="cut short"):
        await collect(open_gateway(answer))


@pytest.mark.parametrize("event", ["<html>", "[]", "1", '{"choices": 1}', '{"choices": [1]}'])
async def test_event_that_is_none_is_told(event: str) -> None:
    with pytest.raises(PlatformUnreachable, match="cannot be read"):
        await collect(open_gateway(lambda _: httpx.Response(200, text=f"data: {event}\n\n")))


@pytest.mark.parametrize("text", ["<html>", "[]", "{}", '{"data": 1}', '{"data": [{}]}'])
async def test_list_of_models_that_is_none_is_told(text: str) -> None:
    with pytest.raises(PlatformUnreachable, match="is no gateway"):
        await open_gateway(lambda _: httpx.Response(200, text=text)).list_models()


async def test_connection_that_breaks_is_a_cut() -> None:
    class Broken(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield format_events(build_event("To"))
            raise httpx.RemoteProtocolError("peer closed")

    with pytest.raises(EngineUnavailable, match="cut short"):
        await collect(open_gateway(lambda _: httpx.Response(200, stream=Broken())))


async def test_gateway_that_is_gone() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(PlatformUnreachable, match="gateway"):
        await collect(open_gateway(answer))
    with pytest.raises(PlatformUnreachable, match="gateway"):
        await open_gateway(answer).list_models()


async def test_models_are_listed_by_name() -> None:
    body = {"object": "list", "data": [{"id": "smollm2", "object": "model"}]}
    gateways = open_gateway(lambda _: httpx.Response(200, json=body))
    assert await gateways.list_models() == ("smollm2",)


async def test_call_without_a_gateway_says_what_is_missing(admin: AsyncKeisan) -> None:
    with pytest.raises(InvalidInput) as refused:
        await admin.gateways.list_models()
    assert refused.value.field == "gateway_url"


async def test_progress_of_gateways_is_listed(admin: AsyncKeisan) -> None:
    assert len((await admin.gateways.list()).items) == 1
