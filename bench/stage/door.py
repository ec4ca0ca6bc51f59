"""A site's door as the way to the engine: the gateway speaks HTTP/2 with it (R9), plain, as everything here is."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

from keisan.agent.folder import AgentFolder
from keisan.domain.key import create_secret, digest_secret
from keisan.kit.private_file import create_private_folder, write_private_file
from stage.process import KEISAN, LOAD_CORE, Pinned, read_ready_line, start_pinned
from stage.snapshot import DoorPlace, create_id


@dataclass(frozen=True, slots=True)
class Door:
    """A door that runs, and what a gateway is told of it."""

    pinned: Pinned
    place: DoorPlace


def start_door(folder: Path, sockets: Sequence[Path]) -> Door:
    """Start a door on the side of engine and load; it leads to a replica at each socket."""
    secret, replica_ids = create_secret(), [create_id() for _ in sockets]
    site = AgentFolder(folder / "site")
    create_private_folder(site.root)
    write_private_file(site.door_path, _format_access(digest_secret(secret), replica_ids, sockets).encode())
    command: list[str | Path] = [KEISAN, "door", "--data", folder, "--listen", "127.0.0.1:0"]
    pinned = start_pinned("door", command, LOAD_CORE, folder / "door.log")
    port = urlsplit(str(read_ready_line(pinned)["url"])).port
    assert port is not None
    return Door(pinned, DoorPlace(port, secret.reveal(), replica_ids))


def _format_access(digest: str, replica_ids: Sequence[UUID], sockets: Sequence[Path]) -> str:
    replicas = {str(replica_id): str(path) for replica_id, path in zip(replica_ids, sockets, strict=True)}
    return json.dumps({"digests": [digest], "replicas": replicas})
