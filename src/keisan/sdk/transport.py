"""Requests to a platform's API: typed views out, errors of keisan.domain.errors raised, harmless repeats."""

import itertools
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

import httpx

from keisan.domain.errors import KeisanError, PlatformUnreachable
from keisan.kit.clock import Clock, SystemClock
from keisan.kit.ids import create_id
from keisan.kit.retry import Backoff
from keisan.sdk.faults import read_problem
from keisan.wire.base import WireInput, WireView
from keisan.wire.page import Page

API_PATH = "/api/v1"
TRIES_MAX = 3
# Between two pieces of a file, and until one that was sent is taken.
DOWNLOAD_TIMEOUT_S = 60.0

View = TypeVar("View", bound=WireView)
Query = Mapping[str, object]
# Nobody listens, or not within the time given: a repeat right now would only make the asker wait longer.
OUT_OF_REACH = (httpx.ConnectError, httpx.TimeoutException)


@dataclass(frozen=True, slots=True)
class Transport:
    """Sends requests over one HTTP client, which its opener closes.

    Every method raises what the platform answers as an error of keisan.domain.errors, and PlatformUnreachable when it
    does not answer. A request that met a cut connection or a passing fault is repeated; writes carry an idempotency
    key, so a repeat does nothing twice.
    """

    http: httpx.AsyncClient
    clock: Clock = field(default_factory=SystemClock)
    backoff: Backoff = field(default_factory=Backoff)

    async def fetch(self, view: type[View], path: str, query: Query | None = None) -> View:
        """GET one thing."""
        request = self.http.build_request("GET", API_PATH + path, params=format_query(query or {}))
        return _read(view, await self._send(request))

    async def fetch_bytes(self, path: str) -> bytes:
        """GET a file."""
        return (await self._send(self.http.build_request("GET", API_PATH + path))).content

    async def walk(self, page: type[Page[View]], path: str, query: Query | None = None) -> AsyncGenerator[View, None]:
        """GET a list, page after page, each when its first item is asked for."""
        cursor: str | None = None
        while True:
            found = await self.fetch(page, path, {**(query or {}), "cursor": cursor})
            for item in found.items:
                yield item
            cursor = found.next_cursor
            if cursor is None:
                return

    async def download(self, path: str, query: Query, write: Callable[[bytes], object]) -> httpx.Headers:
        """GET a file piece by piece into `write`, and return the answer's headers; it is not repeated.

        Raises PlatformUnreachable if it breaks off: what was written then is no whole file.
        """
        request = self.http.build_request(
            "GET", API_PATH + path, params=format_query(query), timeout=DOWNLOAD_TIMEOUT_S
        )
        place = name_place(request)
        try:
            answer = await self.http.send(request, stream=True)
            async with aclosing(answer):
                if answer.status_code >= 400:
                    await answer.aread()
                    raise read_problem(answer)
                async for piece in answer.aiter_bytes():
                    write(piece)
        except httpx.HTTPError as fault:
            raise PlatformUnreachable(f"the platform at {place} broke off", repr(fault)) from fault
        return answer.headers

    async def write(
        self, view: type[View], method: str, path: str, body: WireInput | None = None, *, version: int | None = None
    ) -> View:
        """Send a write; `version` is that of the view which is changed, and goes into If-Match."""
        headers = {"idempotency-key": str(create_id())}
        if version is not None:
            headers["if-match"] = f'"{version}"'
        if body is not None:
            headers["content-type"] = "application/json"
        content = body.model_dump_json() if body is not None else None
        request = self.http.build_request(method, API_PATH + path, content=content, headers=headers)
        return _read(view, await self._send(request))

    async def upload(self, view: type[View], path: str, content: bytes, media_type: str) -> View:
        """POST a file as it is."""
        headers = {"idempotency-key": str(create_id()), "content-type": media_type}
        request = self.http.build_request(
            "POST", API_PATH + path, content=content, headers=headers, timeout=DOWNLOAD_TIMEOUT_S
        )
        return _read(view, await self._send(request))

    async def _send(self, request: httpx.Request) -> httpx.Response:
        random = Random()  # noqa: S311  # spreads repeats in time, guards nothing
        for attempt in itertools.count(1):
            try:
                return await self._send_once(request)
            except KeisanError as fault:
                is_final = attempt == TRIES_MAX or not fault.is_retryable or _is_out_of_reach(fault)
                if is_final:
                    raise
            await self.clock.sleep(self.backoff.compute_wait_s(attempt, random))
        raise AssertionError

    async def _send_once(self, request: httpx.Request) -> httpx.Response:
        place = name_place(request)
        try:
            answer = await self.http.send(request)
        except OUT_OF_REACH as fault:
            raise PlatformUnreachable(f"the platform at {place} does not answer", repr(fault)) from fault
        except httpx.HTTPError as fault:
            raise PlatformUnreachable(f"the platform at {place} broke off", repr(fault)) from fault
        if answer.status_code >= 400:
            raise read_problem(answer)
        return answer


def _read(view: type[View], answer: httpx.Response) -> View:
    try:
        return view.model_validate_json(answer.content)
    except ValueError as fault:
        # Somebody else's server, or a platform of another release.
        text = f"what answers at {name_place(answer.request)} is no platform of this release"
        raise PlatformUnreachable(text, str(fault)) from fault


def name_place(request: httpx.Request) -> str:
    """Return whom a request is for, without its path."""
    return f"{request.url.scheme}://{request.url.netloc.decode()}"


def _is_out_of_reach(fault: KeisanError) -> bool:
    return isinstance(fault.__cause__, OUT_OF_REACH)


def format_query(query: Query) -> dict[str, str]:
    """Return what is asked for as it is sent; None is not."""
    return {name: str(value) for name, value in query.items() if value is not None}
