"""The platform itself."""

from keisan.sdk.blocking import Blocking, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.platform import HealthView, PlatformUpdate, PlatformView


class AsyncPlatform:
    """The one platform behind a base URL."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def get(self) -> PlatformView:
        """Return the platform with the version of its newest snapshot."""
        return await self._transport.fetch(PlatformView, "/platform")

    async def update(self, platform: PlatformView, change: PlatformUpdate) -> PlatformView:
        """Change what was seen; raises VersionMismatch if it has changed since."""
        return await self._transport.write(PlatformView, "PATCH", "/platform", change, version=platform.version)

    async def check(self) -> HealthView:
        """Return its health; raises StorageUnavailable when its database does not answer. Needs no key."""
        return await self._transport.fetch(HealthView, "/healthz")


class Platform(Blocking[AsyncPlatform]):
    """The one platform behind a base URL."""

    get = wait_for(AsyncPlatform.get)
    update = wait_for(AsyncPlatform.update)
    check = wait_for(AsyncPlatform.check)
