"""Gateways over HTTP: how far each is, and the three exchanges of a gateway with its platform."""

from typing import Annotated

from fastapi import APIRouter, Body, Query, Response

from keisan.api.context import CallerOf, ContextOf
from keisan.control.gateway_certificate import certify_gateway as certify
from keisan.control.machine import is_connected
from keisan.domain.access import MachineKind, PlatformScope, Right
from keisan.domain.ids import MachineId
from keisan.domain.limits import USAGE_BATCH_RECORDS_MAX
from keisan.domain.usage import IntakeOutcome
from keisan.ledger.credit import exchange_credit as take_report
from keisan.ledger.intake import accept_usage
from keisan.wire.credit import CreditAnswer, CreditReport
from keisan.wire.gateway_certificate import GatewayCertificateAsk, GatewayCertificateView
from keisan.wire.machine import GatewayList, GatewayView
from keisan.wire.snapshot import SnapshotAnswer, SnapshotQuery
from keisan.wire.usage import USAGE_BATCH_TYPE, RecordAnswer, UsageAnswer, split_usage_batch

BATCH_DESCRIPTION = (
    f"1 to {USAGE_BATCH_RECORDS_MAX} usage records, one a line. What records share may stand before them, each part a line behind "
    "a plus sign; a record is then its parts' numbers (from 0), a colon, and its own bytes."
)

router = APIRouter(prefix="/gateways", tags=["gateways"])
exchange_router = APIRouter(prefix="/gateway", tags=["machine exchanges"])


@router.get("")
async def list_gateways(caller: CallerOf) -> GatewayList:
    """Whoever makes or revokes a key waits for all gateways, so everyone may see how far each is, and no more."""
    now = caller.control.clock.now()
    async with caller.read() as view:
        gateways = await view.machines.list_kind(PlatformScope(), MachineKind.GATEWAY)
        mark = await view.snapshot.get_mark()
    items = tuple(
        GatewayView(
            id=gateway.id,
            acknowledged_version=gateway.acknowledged_version,
            seen_at=gateway.seen_at,
            is_connected=is_connected(gateway, now),
        )
        for gateway in gateways
    )
    return GatewayList(items=items, snapshot_version=mark.version)


@exchange_router.get("/snapshot", response_model=SnapshotAnswer, responses={204: {"description": "Nothing newer"}})
async def fetch_snapshot(
    caller: CallerOf,
    context: ContextOf,
    query: Annotated[SnapshotQuery, Query()],
) -> Response:
    answer = await context.snapshots.answer(caller.principal, query)
    if answer is None:
        return Response(status_code=204)
    # A snapshot is large and was built here; validating it once more as FastAPI would is work for nothing.
    # A null within a row stays: the digest covers it.
    absent = {"delta"} if answer.delta is None else {"snapshot"}
    return Response(answer.model_dump_json(exclude=absent), media_type="application/json")


@exchange_router.post("/usage")
async def hand_in_usage(
    caller: CallerOf,
    # Strict, or a JSON text would pass for lines.
    body: Annotated[bytes, Body(media_type=USAGE_BATCH_TYPE, strict=True, description=BATCH_DESCRIPTION)],
) -> UsageAnswer:
    caller.principal.require(Right.SERVE_GATEWAY)
    control, gateway_id = caller.control, MachineId(caller.principal.id)
    answers = await accept_usage(control.storage, control.journal, gateway_id, split_usage_batch(body))
    others = tuple(
        RecordAnswer(**answer._asdict()) for answer in answers if answer.outcome is not IntakeOutcome.CREATED
    )
    return UsageAnswer(created_count=len(answers) - len(others), answers=others)


@exchange_router.post("/credit")
async def exchange_credit(caller: CallerOf, context: ContextOf, body: CreditReport) -> CreditAnswer:
    caller.principal.require(Right.SERVE_GATEWAY)
    control, gateway_id = caller.control, MachineId(caller.principal.id)
    return await take_report(control.storage, control.clock, context.terms, gateway_id, body)


@exchange_router.post("/certificate")
async def certify_gateway(caller: CallerOf, body: GatewayCertificateAsk) -> GatewayCertificateView:
    return await certify(caller.control, caller.principal, body)
