"""Who this agent is (R11): it makes its secret itself and keeps it before it joins, so a crash cannot lose it."""

from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from keisan.agent.document import read_document, write_document
from keisan.domain.errors import SettingsInvalid
from keisan.domain.key import MACHINE_PREFIX, Secret, create_secret, digest_secret
from keisan.kit.ids import create_id
from keisan.wire.machine import MachineJoin, MachineView


@dataclass(frozen=True, slots=True)
class AgentIdentity:
    """`agent_id` is the agent's own, made once; `machine_id` and `site_id` are the platform's, None until it joined."""

    agent_id: UUID
    secret: Secret
    machine_id: UUID | None = None
    site_id: UUID | None = None


def load_identity(path: Path) -> AgentIdentity:
    """Return the identity kept at `path`, a new one if there is none; raises SettingsInvalid when it cannot be read."""
    if not path.exists():
        identity = AgentIdentity(create_id(), create_secret(MACHINE_PREFIX))
        save_identity(path, identity)
        return identity
    try:
        kept = read_document(path)
        return AgentIdentity(
            agent_id=UUID(str(kept["agent_id"])),
            secret=Secret(str(kept["secret"])),
            machine_id=_parse_id(kept["machine_id"]),
            site_id=_parse_id(kept["site_id"]),
        )
    except (OSError, ValueError, KeyError) as failure:
        raise SettingsInvalid(
            f"the agent's identity in {path} cannot be read ({type(failure).__name__}); move it away and join again with "
            "a new token",
            "data_directory",
        ) from failure


def save_identity(path: Path, identity: AgentIdentity) -> None:
    """Keep an identity, mode 0600, on disk when this returns; raises OSError."""
    content = {
        "agent_id": str(identity.agent_id),
        "secret": identity.secret.reveal(),
        "machine_id": identity.machine_id and str(identity.machine_id),
        "site_id": identity.site_id and str(identity.site_id),
    }
    write_document(path, content)


def build_join(identity: AgentIdentity, join_token: Secret | None, machine_name: str) -> MachineJoin:
    """Return the request to join; raises SettingsInvalid without a token."""
    if join_token is None:
        raise SettingsInvalid("this agent has not joined a platform yet; expected a join token, got none", "join_token")
    return MachineJoin(token=join_token.reveal(), name=machine_name, secret_digest=digest_secret(identity.secret))


def mark_joined(identity: AgentIdentity, machine: MachineView) -> AgentIdentity:
    """Return the identity with what the platform calls it."""
    return replace(identity, machine_id=machine.id, site_id=machine.site_id)


def _parse_id(text: object) -> UUID | None:
    return None if text is None else UUID(str(text))
