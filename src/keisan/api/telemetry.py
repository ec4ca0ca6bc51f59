"""Telemetry over HTTP: what sites hand in, and the live fleet as it is read."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Body, Query, Response

from keisan.api.context import Caller, CallerOf, ContextOf
from keisan.control.telemetry import FleetWatch
from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope, Right
from keisan.domain.errors import PermissionDenied
from keisan.domain.frame import FrameCounts
from keisan.domain.ids import ProviderId, SiteId
from keisan.domain.roll_up import CountName, FieldSum, RollUp
from keisan.kit.clock import from_milliseconds
from keisan.telemetry.live_site import LiveSite
from keisan.telemetry.reading import (
    DeviceFilter,
    LiveDevice,
    RollUpQuery,
    get_site,
    read_devices,
    read_rollups,
)
from keisan.telemetry.supernode import LiveSupernode, assess_supernodes
from keisan.wire.arrow import ARROW_TYPE
from keisan.wire.supernode import LiveSupernodeList, LiveSupernodeQuery, LiveSupernodeView
from keisan.wire.telemetry import (
    FrameAnswer,
    FrameCountsList,
    FrameCountsView,
    InventoryAnswer,
    LiveDeviceList,
    LiveDeviceQuery,
    LiveDeviceView,
    RollUpList,
    RollUpQueryInput,
)

router = APIRouter(prefix="/telemetry", tags=["telemetry"])
exchange_router = APIRouter(prefix="/site", tags=["machine exchanges"])

FrameBody = Annotated[bytes, Body(media_type=ARROW_TYPE, strict=True, description="A frame: one Arrow record batch.")]
InventoryBody = Annotated[
    bytes, Body(media_type=ARROW_TYPE, strict=True, description="A site's inventory: one Arrow record batch.")
]


@exchange_router.post("/inventory")
async def put_inventory(caller: CallerOf, context: ContextOf, body: InventoryBody) -> InventoryAnswer:
    mark = await context.fleet.accept_inventory(caller.principal, body)
    return InventoryAnswer.model_validate(mark)


@exchange_router.post("/frame")
async def hand_in_frame(caller: CallerOf, context: ContextOf, body: FrameBody) -> FrameAnswer:
    return FrameAnswer(outcome=context.fleet.accept_frame(caller.principal, body))


@router.get("/rollups", response_model=RollUpList)
async def list_rollups(caller: CallerOf, context: ContextOf, query: Annotated[RollUpQueryInput, Query()]) -> Response:
    fleet = context.fleet.fleet
    asked = RollUpQuery(
        level=query.level,
        region=query.region,
        site_id=None if query.site_id is None else SiteId(query.site_id),
        provider_id=find_provider(caller),
    )
    taken_at = from_milliseconds(fleet.picture.taken.wall_ms)
    return Response(encode_rollups(taken_at, read_rollups(fleet, asked)), media_type="application/json")


@router.get("/devices")
async def list_live_devices(
    caller: CallerOf, context: ContextOf, query: Annotated[LiveDeviceQuery, Query()]
) -> LiveDeviceList:
    fleet = context.fleet.fleet
    site = get_site(fleet, SiteId(query.site_id), find_provider(caller))
    chosen = DeviceFilter(query.start, query.limit, query.node, query.verdict)
    found, next_start = read_devices(site, chosen, fleet.picture.taken)
    return LiveDeviceList(
        taken_at=from_milliseconds(fleet.picture.taken.wall_ms),
        items=tuple(_build_device(device) for device in found),
        next_start=next_start,
    )


@router.get("/supernodes")
async def list_live_supernodes(
    caller: CallerOf, context: ContextOf, query: Annotated[LiveSupernodeQuery, Query()]
) -> LiveSupernodeList:
    fleet = context.fleet.fleet
    site = get_site(fleet, SiteId(query.site_id), find_provider(caller))
    templates = {template.id: template for template in context.supernode_templates}
    return LiveSupernodeList(
        taken_at=from_milliseconds(fleet.picture.taken.wall_ms),
        items=tuple(_build_supernode(found) for found in assess_supernodes(site, templates)),
    )


@router.get("/frames")
async def list_frame_counts(caller: CallerOf, context: ContextOf) -> FrameCountsList:
    provider_id = find_provider(caller)
    sites = [site for site in _list_sites(context.fleet) if provider_id in (None, site.place.provider_id)]
    return FrameCountsList(items=tuple(_build_counts(site, site.counts) for site in sites))


def find_provider(caller: Caller) -> ProviderId | None:
    """Return whose sites alone the caller sees, None for all; raises PermissionDenied for people of organizations."""
    caller.principal.require(Right.READ)
    match caller.scope:
        case PlatformScope():
            return None
        case ProviderScope(provider_id):
            return provider_id
        case OrganizationScope():
            raise PermissionDenied("telemetry of sites is for their providers and the platform's people")


def encode_rollups(taken_at: datetime, rollups: Iterable[RollUp]) -> bytes:
    """Return a RollUpList as JSON. A dashboard asks for thousands each second: models would take ten times as long."""
    return msgspec.json.encode({"taken_at": taken_at, "items": [describe_rollup(rollup) for rollup in rollups]})


def describe_rollup(rollup: RollUp) -> dict[str, object]:
    """Return a RollUpView as values that msgspec encodes."""
    devices = rollup.counts[CountName.DEVICES]
    return {
        "level": rollup.level,
        "name": rollup.name,
        "region": rollup.region,
        "provider_id": rollup.provider_id,
        "site_id": rollup.site_id,
        "verdict": rollup.verdict,
        "coverage_permille": rollup.counts[CountName.REPORTING] * 1000 // devices if devices else None,
        "counts": rollup.counts,
        "sums": {name: _describe_sum(found) for name, found in rollup.sums.items()},
        "temperature_most_millicelsius": rollup.temperature_most_millicelsius,
        "proven_at": rollup.proven_at,
        "sampled_at": rollup.sampled_at,
        "sources": rollup.sources,
    }


def _describe_sum(found: FieldSum) -> dict[str, int | None]:
    mean = found.total // found.devices if found.devices else None
    return {"total": found.total, "devices": found.devices, "mean": mean}


def _list_sites(watch: FleetWatch) -> tuple[LiveSite, ...]:
    return tuple(watch.fleet.sites.values())


def _build_counts(site: LiveSite, counts: FrameCounts) -> FrameCountsView:
    return FrameCountsView(
        site_id=site.place.site_id,
        site_name=site.place.name,
        region=site.place.region,
        incarnation=site.mark.incarnation,
        inventory_version=site.mark.version,
        outcomes={str(name): count for name, count in counts.outcomes.items()},
        faults={str(name): count for name, count in counts.faults.items()},
        values_refused=counts.values_refused,
        clock_offset_ms=counts.clock_offset_ms,
    )


def _build_device(device: LiveDevice) -> LiveDeviceView:
    return LiveDeviceView(
        number=device.number,
        hardware_id=device.hardware_id,
        node=device.node,
        supernode=device.supernode or None,
        chip=device.chip,
        name=device.name,
        memory_mib=device.memory_mib or None,
        verdict=device.verdict,
        is_cordoned=device.is_cordoned,
        proven_at=device.proven_at,
        values={str(name): value for name, value in device.values.items()},
    )


def _build_supernode(found: LiveSupernode) -> LiveSupernodeView:
    assessment = found.assessment
    return LiveSupernodeView(
        name=found.name,
        template=found.template or None,
        member_count=found.member_count,
        verdict=assessment.verdict,
        reasons=assessment.reasons,
        connected_count=len(assessment.connected),
        connected_possible_count=len(assessment.connected_possible),
        left_ppm=assessment.left_ppm,
        left_possible_ppm=assessment.left_possible_ppm,
    )
