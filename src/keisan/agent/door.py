"""The file of the site's door (R9): whom it lets in, as the platform orders, and to which sockets, as replicas come and go.

The door looks at the file with every request. While the platform is away, whoever was let in stays let in.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from keisan.domain.errors import SettingsInvalid, StorageUnavailable
from keisan.domain.limits import DOOR_CERTIFICATES_CHARACTERS_MAX
from keisan.kit.observe import write_log, write_warning
from keisan.kit.private_file import write_private_file
from keisan.wire.door import DoorOrder, DoorReport

BEGIN_CERTIFICATE = "-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True, slots=True)
class DoorSettings:
    """Where gateways find the door, and the file of the certificates (PEM) that they are to trust there, if any."""

    host: str
    port: int
    is_tls: bool
    ca_path: Path | None = None


@dataclass(frozen=True, slots=True)
class DoorAccess:
    """What the file says; schema: crates/relay/src/door/access.rs."""

    digests: tuple[str, ...] = ()
    replicas: tuple[tuple[str, str], ...] = ()


class DoorFile:
    """Keeps the file at `path`; a site without a door (`settings` None) has none, and then nobody is let in."""

    def __init__(self, path: Path, settings: DoorSettings | None) -> None:
        """Raises SettingsInvalid for certificates that cannot be told."""
        self._path = path
        self._settings = settings
        self._access = read_access(path)
        self._certificates = "" if settings is None else _read_certificates(settings.ca_path)

    def keep_replicas(self, sockets: Mapping[UUID, str]) -> None:
        """Have the file lead to these replicas, before anybody is told of one; raises StorageUnavailable."""
        replicas = tuple(sorted((str(replica_id), path) for replica_id, path in sockets.items()))
        self._write(DoorAccess(self._access.digests, replicas))

    def follow(self, order: DoorOrder | None) -> bool:
        """Let in whom the platform orders, and return whether that is news; raises StorageUnavailable.

        An answer that says nothing of the door changes nothing.
        """
        if self._settings is None or order is None or order.digests == self._access.digests:
            return False
        self._write(DoorAccess(order.digests, self._access.replicas))
        write_log("door.ordered", secrets=len(order.digests))
        return True

    def build_report(self) -> DoorReport | None:
        """Return what the platform is to know of the door, None for a site without one."""
        own = self._settings
        if own is None:
            return None
        try:
            self._certificates = _read_certificates(own.ca_path)
        except SettingsInvalid as failure:
            # It may be on its way to being replaced; nobody loses trust in the door over that.
            write_warning("door.certificates_kept", fault=failure.outside)
        return DoorReport(
            host=own.host,
            port=own.port,
            is_tls=own.is_tls,
            certificates=self._certificates,
            digests=self._access.digests,
        )

    def _write(self, access: DoorAccess) -> None:
        try:
            if self._settings is None:
                self._path.unlink(missing_ok=True)
                return
            if access == self._access and self._path.exists():
                return
            content = {"digests": list(access.digests), "replicas": dict(access.replicas)}
            write_private_file(self._path, json.dumps(content).encode())
        except OSError as failure:
            raise StorageUnavailable(f"the door's file cannot be written: {failure}") from failure
        self._access = access


def read_access(path: Path) -> DoorAccess:
    """Return what the file says; one that is not there or damaged lets nobody in, until the platform orders anew."""
    try:
        kept = json.loads(path.read_bytes())
        return DoorAccess(tuple(map(str, kept["digests"])), tuple(sorted(dict(kept["replicas"]).items())))
    except FileNotFoundError:
        return DoorAccess()
    except (OSError, ValueError, KeyError, TypeError) as failure:
        write_warning("door.file_damaged", path=str(path), fault=repr(failure))
        return DoorAccess()


def _read_certificates(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, ValueError) as failure:
        raise SettingsInvalid(
            f"the door's certificates in {path} cannot be read ({failure})", "door_ca_path"
        ) from failure
    if BEGIN_CERTIFICATE not in text or len(text) > DOOR_CERTIFICATES_CHARACTERS_MAX:
        expected = f"expected certificates (PEM) of at most {DOOR_CERTIFICATES_CHARACTERS_MAX} characters in {path}"
        raise SettingsInvalid(expected, "door_ca_path")
    return text
