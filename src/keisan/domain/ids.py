"""Typed ids, one per noun. All but PlatformId and QuarantineId are UUIDv7: unique worldwide, opaque, without meaning.

A platform's id is the lower-case hex SHA-256 of its first Ed25519 public key (32 raw bytes).
"""

import hashlib
import re
from typing import NewType
from uuid import UUID

from keisan.domain.errors import InvalidInput

PlatformId = NewType("PlatformId", str)
OrganizationId = NewType("OrganizationId", UUID)
ProjectId = NewType("ProjectId", UUID)
KeyId = NewType("KeyId", UUID)
MachineId = NewType("MachineId", UUID)
JoinTokenId = NewType("JoinTokenId", UUID)
ProviderId = NewType("ProviderId", UUID)
SiteId = NewType("SiteId", UUID)
NodeId = NewType("NodeId", UUID)
DeviceId = NewType("DeviceId", UUID)
ModelId = NewType("ModelId", UUID)
ChallengeId = NewType("ChallengeId", UUID)
ChallengeRoundId = NewType("ChallengeRoundId", UUID)
ServingChallengeId = NewType("ServingChallengeId", UUID)
PriceId = NewType("PriceId", UUID)
OfferId = NewType("OfferId", UUID)
DeductionId = NewType("DeductionId", UUID)
DeploymentId = NewType("DeploymentId", UUID)
ReplicaId = NewType("ReplicaId", UUID)
AccountId = NewType("AccountId", UUID)
EntryId = NewType("EntryId", UUID)
RecordId = NewType("RecordId", UUID)
TicketId = NewType("TicketId", UUID)
BudgetId = NewType("BudgetId", UUID)
AdmissionId = NewType("AdmissionId", UUID)
StatementId = NewType("StatementId", UUID)
ClosingId = NewType("ClosingId", UUID)
PayoutId = NewType("PayoutId", UUID)
DisputeId = NewType("DisputeId", UUID)
QuarantineId = NewType("QuarantineId", UUID)
EventId = NewType("EventId", UUID)
WebhookId = NewType("WebhookId", UUID)
AlertId = NewType("AlertId", UUID)
DeliveryId = NewType("DeliveryId", UUID)
FacilityId = NewType("FacilityId", UUID)
ClaimId = NewType("ClaimId", UUID)
SurveyId = NewType("SurveyId", UUID)
LinkId = NewType("LinkId", UUID)
InvitationId = NewType("InvitationId", UUID)
LetterId = NewType("LetterId", UUID)
GrantId = NewType("GrantId", UUID)
GrantWantId = NewType("GrantWantId", UUID)
SettlementId = NewType("SettlementId", UUID)

PUBLIC_KEY_BYTES = 32
_PLATFORM_ID = re.compile(r"[0-9a-f]{64}")


def hash_public_key(public_key: bytes) -> PlatformId:
    """Return the platform id made from its first public key (32 raw bytes of Ed25519).

    Raises InvalidInput when the key has another length.
    """
    if len(public_key) != PUBLIC_KEY_BYTES:
        raise InvalidInput(f"a public key has {PUBLIC_KEY_BYTES} bytes, got {len(public_key)}", "public_key")
    return PlatformId(hashlib.sha256(public_key).hexdigest())


def parse_platform_id(text: str) -> PlatformId:
    """Return text as a platform id; raises InvalidInput unless it is 64 lower-case hex digits."""
    if not _PLATFORM_ID.fullmatch(text):
        raise InvalidInput("a platform id is 64 lower-case hex digits", "platform_id")
    return PlatformId(text)
