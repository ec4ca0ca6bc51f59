"""The five exchanges of each platform below: how far they are, since when, what is missing, and what is counted as its own."""

from collections.abc import Iterator

from keisan.control.region import RegionWatch
from keisan.control.region_heard import HeardPlatform
from keisan.domain.access import PlatformScope, Principal, Right
from keisan.domain.capacity import CapacityFigure, CapacityKind, state_share_ppm, sum_capacity
from keisan.domain.errors import NotFound
from keisan.domain.exchange import judge_exchanges
from keisan.wire.exchange import (
    ExchangeList,
    ExchangeView,
    PlatformExchanges,
    ScenarioView,
    SharedSiteView,
    SubjectsView,
)

# As state_share_ppm takes them.
SHARE_KINDS = (CapacityKind.CONNECTED, CapacityKind.REGISTERED, CapacityKind.SURVEYED)


def list_exchanges(regions: RegionWatch, principal: Principal, platform_id: str | None) -> ExchangeList:
    """Return the exchanges of all platforms below, or of one of them.

    Raises PermissionDenied, NotFound for a platform that is not below this one.
    """
    principal.require(Right.READ)
    # To organizations and providers nobody is below.
    found = regions.hearing.list_platforms() if isinstance(principal.scope, PlatformScope) else []
    chosen = [platform for platform in found if platform_id in (None, platform.id)]
    if platform_id is not None and not chosen:
        raise NotFound("there is no such platform below this one", f"platform_id={platform_id}")
    return ExchangeList(items=tuple(_describe(regions, platform) for platform in chosen))


def _describe(regions: RegionWatch, platform: HeardPlatform) -> PlatformExchanges:
    counts = {kind: _count_devices(regions, platform, kind) for kind in CapacityKind}
    shared = [each for each in regions.counted.shared if each.reporter_id == platform.id]
    return PlatformExchanges(
        platform_id=platform.id,
        name=platform.title,
        region=platform.region,
        is_heard=regions.is_heard(platform),
        heard_at=platform.hearing.heard_at,
        exchanges=tuple(_list_exchanges(regions, platform)),
        subjects=_describe_subjects(platform),
        models=None if platform.summary is None else platform.summary.models,
        engines=None if platform.summary is None else platform.summary.engines,
        scenarios=_describe_scenarios(platform),
        site_count=len(list(platform.list_sites())),
        device_counts=counts,
        share_ppm=state_share_ppm(*(counts[kind] for kind in SHARE_KINDS)),
        shared=tuple(SharedSiteView.model_validate(each) for each in shared),
        faults=dict(platform.faults),
    )


def _list_exchanges(regions: RegionWatch, platform: HeardPlatform) -> Iterator[ExchangeView]:
    for finding in judge_exchanges(regions.collect_facts(platform)):
        mark = regions.marks.get((platform.id, finding.exchange))
        yield ExchangeView(
            exchange=finding.exchange,
            state=finding.state,
            # It has become so within this second, and is not noted yet.
            since=mark.since if mark is not None and mark.state is finding.state else None,
            missing=finding.missing,
        )


def _describe_subjects(platform: HeardPlatform) -> SubjectsView | None:
    told = platform.summary
    if told is None:
        return None
    return SubjectsView(
        organization_count=told.organization_count,
        provider_count=told.provider_count,
        organizations=told.organizations,
        providers=told.providers,
    )


def _describe_scenarios(platform: HeardPlatform) -> tuple[ScenarioView, ...] | None:
    if platform.scenarios is None:
        return None
    return tuple(
        ScenarioView(name=line.name, models=line.models, deployment_count=line.deployment_count)
        for line in platform.scenarios.scenarios
    )


def _count_devices(regions: RegionWatch, platform: HeardPlatform, kind: CapacityKind) -> int | None:
    totals = sum_capacity(regions.count_platform(platform, kind), None)
    return totals[0].figures[CapacityFigure.DEVICE_COUNT].value if totals else None
