"""The platform itself over HTTP, and its health."""

from fastapi import APIRouter, Response

from keisan.api.context import CallerOf, ContextOf
from keisan.api.version import tag_version
from keisan.wire.platform import HealthView, PlatformView

router = APIRouter(tags=["platform"])


@router.get("/platform")
async def get_platform(caller: CallerOf, response: Response) -> PlatformView:
    async with caller.read() as view:
        platform = await view.platform.get()
        mark = await view.snapshot.get_mark()
    shown = PlatformView(
        id=platform.id,
        name=platform.name,
        kind=platform.kind,
        region=platform.region,
        public_key=platform.public_key.hex(),
        snapshot_version=mark.version,
        version=platform.version,
        created_at=platform.created_at,
    )
    return tag_version(response, shown)


@router.get("/healthz")
async def get_health(context: ContextOf) -> HealthView:
    await context.control.storage.check()
    return HealthView(status="ok", platform_id=context.control.platform_id, version=context.release)
