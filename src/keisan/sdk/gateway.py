"""Gateways: how far each is with the snapshot, and calls through one's /v1."""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import asdict, dataclass

import httpx

from keisan.domain.errors import EngineUnavailable, InvalidInput, PlatformUnreachable
from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.faults import read_gateway_error
from keisan.sdk.transport import Transport
from keisan.wire.machine import GatewayList

CONNECT_TIMEOUT_S = 5.0
# An engine may think this long about a long prompt before its first word.
SILENCE_S_MAX = 150.0
CALL_TIMEOUT = httpx.Timeout(SILENCE_S_MAX, connect=CONNECT_TIMEOUT_S)
DATA_PREFIX = "data:"
STREAM_END = "[DONE]"


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a conversation; `role` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """How to answer; what is None is left to the gateway. `output_tokens_max` goes out as max_tokens."""

    output_tokens_max: int | None = None
    temperature: float | None = None
    seed: int | None = None


DEFAULT_OPTIONS = ChatOptions()


class AsyncGateways:
    """The platform's gateways, and calls through the one whose URL the client was given."""

    def __init__(self, transport: Transport, http: httpx.AsyncClient | None) -> None:
        self._transport = transport
        self._http = http

    async def list(self) -> GatewayList:
        """Return all gateways that are not revoked, and the snapshot version that they will come to."""
        return await self._transport.fetch(GatewayList, "/gateways")

    async def list_models(self) -> tuple[str, ...]:
        """Return the names of the models that this key can call now, as /v1/models tells them; raises as chat does."""
        http = self._get_http()
        try:
            answer = await http.get("/v1/models", timeout=CALL_TIMEOUT)
        except httpx.HTTPError as fault:
            raise _build_unreachable(http, fault) from fault
        if answer.status_code != 200:
            raise read_gateway_error(answer.status_code, answer.content)
        try:
            return tuple(str(model["id"]) for model in answer.json()["data"])
        except (ValueError, KeyError, TypeError) as fault:
            raise PlatformUnreachable(f"what answers at {http.base_url} is no gateway", repr(fault)) from fault

    async def chat(
        self, model: str, messages: Sequence[ChatMessage], options: ChatOptions = DEFAULT_OPTIONS
    ) -> AsyncGenerator[str, None]:
        """Yield the answer's text as it comes.

        Raises the gateway's refusal as an error of keisan.domain.errors, EngineUnavailable when the answer is cut, and
        PlatformUnreachable when the gateway does not answer.
        """
        http = self._get_http()
        body = _build_chat(model, messages, options)
        try:
            async with http.stream("POST", "/v1/chat/completions", json=body, timeout=CALL_TIMEOUT) as answer:
                if answer.status_code != 200:
                    raise read_gateway_error(answer.status_code, await answer.aread())
                async for text in _read_stream(answer):
                    yield text
        except httpx.RemoteProtocolError as fault:
            raise EngineUnavailable("the answer was cut short", repr(fault)) from fault
        except httpx.HTTPError as fault:
            raise _build_unreachable(http, fault) from fault

    def _get_http(self) -> httpx.AsyncClient:
        if self._http is None:
            raise InvalidInput("calls need the gateway's URL", "gateway_url")
        return self._http


class Gateways(Blocking[AsyncGateways]):
    """The platform's gateways, and calls through the one whose URL the client was given."""

    list = wait_for(AsyncGateways.list)
    list_models = wait_for(AsyncGateways.list_models)
    chat = iterate(AsyncGateways.chat)


def _build_chat(model: str, messages: Sequence[ChatMessage], options: ChatOptions) -> Mapping[str, object]:
    wanted = {"max_tokens": options.output_tokens_max, "temperature": options.temperature, "seed": options.seed}
    return {
        "model": model,
        "messages": [asdict(message) for message in messages],
        "stream": True,
        **{name: value for name, value in wanted.items() if value is not None},
    }


async def _read_stream(answer: httpx.Response) -> AsyncGenerator[str, None]:
    async for line in answer.aiter_lines():
        if not line.startswith(DATA_PREFIX):
            continue
        data = line.removeprefix(DATA_PREFIX).strip()
        if data == STREAM_END:
            return
        for text in _read_event(data):
            yield text
    raise EngineUnavailable("the answer was cut short")


def _read_event(data: str) -> list[str]:
    """Return the texts of an event's choices; raises what an error in it stands for."""
    try:
        event = json.loads(data)
        is_error = "error" in event
        contents = [choice.get("delta", {}).get("content") for choice in event.get("choices", ())]
    except (ValueError, TypeError, AttributeError) as fault:
        raise PlatformUnreachable("the gateway's answer cannot be read", repr(fault)) from fault
    if is_error:
        raise read_gateway_error(0, data)
    return [str(content) for content in contents if content]


def _build_unreachable(http: httpx.AsyncClient, fault: Exception) -> PlatformUnreachable:
    return PlatformUnreachable(f"the gateway at {http.base_url} does not answer", repr(fault))
