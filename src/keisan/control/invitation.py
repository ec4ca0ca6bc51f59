"""Commands on invitations: a platform proposes to another that it become its child."""

from dataclasses import dataclass
from datetime import timedelta

from keisan.control.context import Control, name_actor
from keisan.domain.access import Principal, Right
from keisan.domain.errors import InvalidInput
from keisan.domain.event import EventDraft
from keisan.domain.ids import InvitationId
from keisan.domain.key import Secret, create_secret, digest_secret
from keisan.domain.link import Invitation
from keisan.domain.platform import PlatformKind
from keisan.kit.ids import create_id
from keisan.wire.invitation import InvitationCreate, InvitationToken, encode_token


@dataclass(frozen=True, slots=True)
class CreatedInvitation:
    """A new invitation and its token, which nobody can read again."""

    invitation: Invitation
    token: Secret


async def create_invitation(control: Control, principal: Principal, body: InvitationCreate) -> CreatedInvitation:
    """Create an invitation that one platform may use; raises PermissionDenied, or InvalidInput for what cannot be proposed."""
    principal.require(Right.WRITE_LINKS)
    if body.kind is PlatformKind.NATIONAL:
        raise InvalidInput("a national platform is nobody's child", "kind")
    if body.kind is PlatformKind.INDUSTRY and body.region is not None:
        raise InvalidInput("an industry platform has no region: its sites have", "region")
    secret, now = create_secret(""), control.clock.now()
    invitation = Invitation(
        id=InvitationId(create_id()),
        platform_id=control.platform_id,
        digest=digest_secret(secret),
        kind=body.kind,
        region=body.region,
        label=body.prefix,
        created_by=name_actor(principal),
        created_at=now,
        expires_at=now + timedelta(seconds=body.life_s),
        used_by=None,
    )
    async with control.storage.write() as transaction:
        await transaction.invitations.insert(invitation)
        detail = {"region": body.region or "", "prefix": body.prefix or ""}
        await transaction.events.append(EventDraft(name_actor(principal), "invitation.created", invitation.id, detail))
    token = InvitationToken(body.url, control.platform_id, invitation.id, secret)
    return CreatedInvitation(invitation, encode_token(token))
