"""The calls of a serving challenge: streamed chats with fresh prompts, so many at a time, each seen by the platform's own clock."""

import asyncio
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from uuid import UUID

import httpx

from keisan.domain.ids import RecordId
from keisan.domain.limits import SERVING_CALLS_MAX, SERVING_DRAIN_S
from keisan.domain.serving_challenge import SeenCall, ServingWork
from keisan.domain.serving_challenge_rule import CUT, StepSeen, build_prompt
from keisan.kit.clock import Clock
from keisan.kit.http import HttpTarget, open_async_client

CHAT_PATH = "/v1/chat/completions"
RECORD_HEADER = "keisan-record-id"
UNREACHABLE = "gateway_unreachable"
BROKEN = "answer_broken"
DATA_PREFIX = "data:"
STREAM_END = "[DONE]"
CODE_CHARACTERS_MAX = 64
# What of a call is text, whichever part of the answer it is.
TEXT_FIELDS = ("content", "reasoning_content")


@dataclass(frozen=True, slots=True)
class LoadStep:
    """Which step of which work, for which model, at how many calls at a time."""

    work: ServingWork
    model: str
    number: int
    concurrency: int


@dataclass(slots=True)
class _Watch:
    """What is seen of a call while it goes on."""

    begun_s: float
    clock: Clock
    record_id: RecordId | None = None
    first_text_us: int | None = None
    piece_count: int = 0
    text_bytes: int = 0

    def count_us(self) -> int:
        return round((self.clock.monotonic_s() - self.begun_s) * 1e6)

    def note_text(self, text: str) -> None:
        if self.first_text_us is None:
            self.first_text_us = self.count_us()
        self.piece_count += 1
        self.text_bytes += len(text.encode())

    def end(self, code: str) -> SeenCall:
        return SeenCall(
            record_id=self.record_id,
            first_text_us=self.first_text_us,
            elapsed_us=self.count_us(),
            piece_count=self.piece_count,
            text_bytes=self.text_bytes,
            code=code,
        )


async def run_step(target: HttpTarget, step: LoadStep, clock: Clock) -> StepSeen:
    """Make calls, one after another by each of so many callers, and return once all have ended or were cut.

    Each caller makes one call at least, however late the step began. Whoever meets a refusal makes no more: the step does not
    hold any more.
    """
    begun_s = clock.monotonic_s()
    last_start_s, cut_s = begun_s + step.work.step_s, begun_s + step.work.step_s + SERVING_DRAIN_S
    numbers, calls = itertools.count(), list[SeenCall]()

    async def keep_calling() -> None:
        is_due = True
        while is_due:
            prompt = build_prompt(step.work, step.number, next(numbers))
            seen = await _call(http, _build_body(step, prompt), cut_s, clock)
            calls.append(seen)
            is_due = not seen.code and clock.monotonic_s() < last_start_s and len(calls) < SERVING_CALLS_MAX

    bounded = replace(target, connections_max=step.concurrency, timeout_s=step.work.step_s + SERVING_DRAIN_S)
    async with open_async_client(bounded) as http, asyncio.TaskGroup() as group:
        for _ in range(step.concurrency):
            group.create_task(keep_calling())
    return StepSeen(step.concurrency, round((clock.monotonic_s() - begun_s) * 1e6), tuple(calls))


def _build_body(step: LoadStep, prompt: str) -> dict[str, object]:
    return {
        "model": step.model,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": step.work.output_tokens_max,
        "stream": True,
    }


async def _call(http: httpx.AsyncClient, body: dict[str, object], cut_s: float, clock: Clock) -> SeenCall:
    watch = _Watch(clock.monotonic_s(), clock)
    try:
        async with (
            asyncio.timeout(max(cut_s - watch.begun_s, 0)),
            http.stream("POST", CHAT_PATH, json=body) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                return watch.end(_read_code(await answer.aread(), answer.status_code))
            watch.record_id = _read_record_id(answer)
            return watch.end(await _read_stream(answer, watch))
    except TimeoutError:
        return watch.end(CUT)
    except httpx.HTTPError:
        return watch.end(UNREACHABLE)


async def _read_stream(answer: httpx.Response, watch: _Watch) -> str:
    """Note the texts of a stream, and return how it ended: empty for whole."""
    async for line in answer.aiter_lines():
        if not line.startswith(DATA_PREFIX):
            continue
        data = line.removeprefix(DATA_PREFIX).strip()
        if data == STREAM_END:
            return ""
        try:
            event = json.loads(data)
            if "error" in event:
                return _read_code(data.encode(), answer.status_code)
            for text in _walk_texts(event):
                watch.note_text(text)
        except (ValueError, TypeError, AttributeError):
            return BROKEN
    return BROKEN


def _walk_texts(event: dict[str, list[dict[str, dict[str, str]]]]) -> Iterator[str]:
    for choice in event.get("choices", ()):
        delta = choice.get("delta", {})
        yield from (text for name in TEXT_FIELDS if (text := delta.get(name)))


def _read_record_id(answer: httpx.Response) -> RecordId | None:
    try:
        return RecordId(UUID(answer.headers.get(RECORD_HEADER, "")))
    except ValueError:
        return None


def _read_code(body: bytes, status: int) -> str:
    try:
        return str(json.loads(body)["error"]["code"])[:CODE_CHARACTERS_MAX]
    except (ValueError, KeyError, TypeError):
        return f"http_{status}"
