"""A key: 256 random bits, shown once, stored as the SHA-256 digest of its text."""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from keisan.domain.access import RIGHTS_BY_ROLE, Principal, Role, choose_scope
from keisan.domain.call_limits import CallLimits
from keisan.domain.ids import KeyId, OrganizationId, PlatformId, ProjectId, ProviderId

KEY_SECRET_BYTES = 32
KEY_PREFIX = "sk-keisan-"
MACHINE_PREFIX = "mk-keisan-"
JOIN_TOKEN_PREFIX = "jt-keisan-"
# So many digits of its home's id stand in a key, so that gateways elsewhere can say whose it is.
KEY_HOME_DIGITS = 12
SALT_BYTES = 32


class Secret:
    """A secret text whose repr and str are masked; `reveal` is the one way to read it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the secret text."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(****)"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class Key:
    """`digest` is 64 hex digits; `models` None means all models; `revoked_at` None means in force.

    `policy` is the normalised text of a policy, empty for none.
    """

    id: KeyId
    platform_id: PlatformId
    organization_id: OrganizationId
    project_id: ProjectId
    provider_id: ProviderId | None
    name: str
    role: Role
    digest: str
    models: tuple[str, ...] | None
    limits: CallLimits
    policy: str
    version: int
    created_at: datetime
    revoked_at: datetime | None

    def to_principal(self) -> Principal:
        """Return who stands behind a request made with this key; raises PermissionDenied as choose_scope does."""
        return Principal(
            id=self.id,
            scope=choose_scope(self.role, self.organization_id, self.provider_id),
            rights=RIGHTS_BY_ROLE[self.role],
            organization_id=self.organization_id,
            project_id=self.project_id,
        )


def create_secret(prefix: str = KEY_PREFIX) -> Secret:
    """Return a new secret: the prefix and 256 random bits in unpadded base64url."""
    body = base64.urlsafe_b64encode(secrets.token_bytes(KEY_SECRET_BYTES)).rstrip(b"=").decode()
    return Secret(prefix + body)


def create_home_secret(home: PlatformId) -> Secret:
    """Return a new key that names its home: behind the prefix, before the random bits."""
    return create_secret(f"{KEY_PREFIX}{home[:KEY_HOME_DIGITS]}-")


def digest_secret(secret: Secret) -> str:
    """Return the hex SHA-256 of the secret's whole text, prefix included."""
    return hashlib.sha256(secret.reveal().encode()).hexdigest()


def create_salt() -> str:
    """Return a new salt: 256 random bits as hex digits."""
    return secrets.token_hex(SALT_BYTES)


def derive_secret(prefix: str, root: Secret, owner_id: UUID, salt: str) -> Secret:
    """Return the secret of a salt and its owner: a keyed hash (HMAC-SHA256), so no secret tells of the root or another."""
    mark = hmac.digest(root.reveal().encode(), owner_id.bytes + bytes.fromhex(salt), hashlib.sha256)
    return Secret(prefix + base64.urlsafe_b64encode(mark).rstrip(b"=").decode())
