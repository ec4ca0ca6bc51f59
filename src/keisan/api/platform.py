"""The platform itself over HTTP, and its health."""

from fastapi import APIRouter, Response

from keisan.api.context import CallerOf, ContextOf
from keisan.api.version import ExpectedVersion, tag_version
from keisan.control import platform as commands
from keisan.domain.platform import Platform
from keisan.domain.snapshot import SnapshotMark
from keisan.wire.platform import HealthView, PlatformUpdate, PlatformView

router = APIRouter(tags=["platform"])


@router.get("/platform")
async def get_platform(caller: CallerOf, response: Response) -> PlatformView:
    async with caller.read() as view:
        platform = await view.platform.get()
        mark = await view.snapshot.get_mark()
    return tag_version(response, _show(platform, mark))


@router.patch("/platform")
async def update_platform(
    caller: CallerOf, expected_version: ExpectedVersion, body: PlatformUpdate, response: Response
) -> PlatformView:
    updated = await commands.update_platform(caller.control, caller.principal, expected_version, body)
    async with caller.read() as view:
        mark = await view.snapshot.get_mark()
    return tag_version(response, _show(updated, mark))


@router.get("/healthz")
async def get_health(context: ContextOf) -> HealthView:
    await context.control.storage.check()
    return HealthView(status="ok", platform_id=context.control.platform_id, version=context.release)


def _show(platform: Platform, mark: SnapshotMark) -> PlatformView:
    return PlatformView(
        id=platform.id,
        name=platform.name,
        kind=platform.kind,
        region=platform.region,
        public_key=platform.public_key.hex(),
        snapshot_version=mark.version,
        four_eyes_nano=dict(platform.four_eyes_nano),
        version=platform.version,
        created_at=platform.created_at,
    )
