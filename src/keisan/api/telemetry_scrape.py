"""The live fleet for Prometheus: roll-ups of all that the asker may see, or what is in one site. Text is made in a thread."""

import asyncio
import zlib
from collections.abc import Callable, Iterable
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from keisan.api.context import Caller, CallerOf, ContextOf
from keisan.api.telemetry import find_provider
from keisan.control.telemetry_series import capture_site, list_fleet_series, list_site_series, look_up_providers
from keisan.domain.access import Right
from keisan.domain.errors import Postponed
from keisan.domain.ids import SiteId
from keisan.domain.limits import SCRAPE_WAIT_S_MAX
from keisan.domain.roll_up import Level
from keisan.telemetry.exposition import OPENMETRICS_TYPE, TEXT_TYPE, TextForm, write_table
from keisan.telemetry.reading import RollUpQuery
from keisan.telemetry.series import SeriesTable
from keisan.wire.telemetry import ScrapeQuery

# The least compression leaves a twentieth, which is most of what there is to gain.
GZIP_LEVEL = 1
GZIP_WINDOW_BITS = 31
OPENMETRICS = "application/openmetrics-text"
_TEXT = ("text/plain", "text/*", "*/*")

router = APIRouter(prefix="/telemetry", tags=["telemetry"])


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {
            "description": "Series as docs/reference/fleet-series.md lists them",
            "content": {kind: {"schema": {"type": "string"}} for kind in (TEXT_TYPE, OPENMETRICS_TYPE)},
        }
    },
)
async def read_series(
    caller: CallerOf, context: ContextOf, request: Request, query: Annotated[ScrapeQuery, Query()]
) -> Response:
    """Raises Postponed while as many are written as may be."""
    watch, asked = context.fleet, choose_sites(caller, query)
    providers = await look_up_providers(watch)
    form = choose_form(request.headers.get("accept", ""))
    is_packed = is_gzip_read(request.headers.get("accept-encoding", ""))
    headers = {"vary": "Accept, Accept-Encoding"} | ({"content-encoding": "gzip"} if is_packed else {})
    try:
        async with asyncio.timeout(SCRAPE_WAIT_S_MAX):
            await context.scrapes.acquire()
    except TimeoutError as fault:
        raise Postponed("as many scrapes as may be are under way; ask again later") from fault
    try:
        if query.site_id is None:
            table = list_fleet_series(watch, asked, providers)
            body = await asyncio.to_thread(_write_body, lambda: table, form, is_packed=is_packed)
        else:
            view = capture_site(watch, asked, SiteId(query.site_id), (query.start, query.limit))
            body = await asyncio.to_thread(_write_body, lambda: list_site_series(view), form, is_packed=is_packed)
    finally:
        context.scrapes.release()
    return Response(body, headers=headers, media_type=form)


def choose_sites(caller: Caller, query: ScrapeQuery) -> RollUpQuery:
    """Return of which sites the asker is told: a site's agent of its own one only; raises PermissionDenied as find_provider."""
    principal = caller.principal
    own_site_id = principal.site_id if Right.SERVE_SITE in principal.rights else None
    provider_id = None if own_site_id else find_provider(caller)
    return RollUpQuery(Level.REGION, query.region, own_site_id, provider_id)


def choose_form(accept: str) -> TextForm:
    """Return OpenMetrics for whoever asks for it at least as much as for text."""
    wanted = dict(_read_weights(accept))
    text = max((wanted.get(name, 0.0) for name in _TEXT), default=0.0)
    open_metrics = wanted.get(OPENMETRICS, 0.0)
    return TextForm.OPENMETRICS if open_metrics > 0 and open_metrics >= text else TextForm.PROMETHEUS


def is_gzip_read(accept_encoding: str) -> bool:
    """Tell whether the asker unpacks gzip."""
    return dict(_read_weights(accept_encoding)).get("gzip", 0.0) > 0


def _read_weights(header: str) -> Iterable[tuple[str, float]]:
    for part in header.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((piece[2:] for piece in parameters if piece.startswith("q=")), "1")
        try:
            yield name, float(weight)
        except ValueError:
            yield name, 0.0


def _write_body(read_table: Callable[[], SeriesTable], form: TextForm, *, is_packed: bool) -> bytes:
    pieces = write_table(read_table(), form)
    if not is_packed:
        return "".join(pieces).encode()
    packer = zlib.compressobj(GZIP_LEVEL, wbits=GZIP_WINDOW_BITS)
    return b"".join([*(packer.compress(piece.encode()) for piece in pieces), packer.flush()])
