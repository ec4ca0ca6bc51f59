"""Commands on the platform itself: what takes two of its admins."""

from dataclasses import replace

from keisan.control.audit import describe_changes
from keisan.control.context import Control, check_version, name_actor
from keisan.domain.access import Principal, Right
from keisan.domain.errors import InvalidInput
from keisan.domain.event import EventDraft
from keisan.domain.platform import Platform
from keisan.wire.base import change_amounts
from keisan.wire.platform import PlatformUpdate


async def update_platform(
    control: Control, principal: Principal, expected_version: int, body: PlatformUpdate
) -> Platform:
    """Change above which amounts a top-up takes two people.

    Raises PermissionDenied, VersionMismatch, or InvalidInput for an amount below zero.
    """
    principal.require(Right.WRITE_PLATFORM)
    if any(amount_nano is not None and amount_nano < 0 for amount_nano in body.four_eyes_nano.values()):
        raise InvalidInput("expected an amount of at least 0", "four_eyes_nano")
    async with control.storage.write() as transaction:
        stored = await transaction.platform.get()
        check_version(stored.version, expected_version)
        updated = replace(
            stored,
            four_eyes_nano=change_amounts(stored.four_eyes_nano, body.four_eyes_nano),
            version=stored.version + 1,
        )
        await transaction.platform.update(updated)
        detail = describe_changes(stored, updated)
        await transaction.events.append(EventDraft(name_actor(principal), "platform.updated", None, detail))
    return updated
