"""Whether platforms that run on one host share nothing: no folder, no file under two names, no port, no key, no process."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from keisan.daemon.folder import DataFolder
from keisan.daemon.operator_file import OperatorFile
from keisan.daemon.platform_identity import ensure_identity
from keisan.daemon.process_file import read_process
from keisan.daemon.settings_address import parse_address
from keisan.domain.ids import hash_public_key
from keisan.domain.key import Secret, digest_secret


@dataclass(frozen=True, slots=True)
class Holdings:
    """What one platform has. `files` are device and number of each file, also of what a link leads to; keys are digests."""

    code: str
    root: Path
    files: frozenset[tuple[int, int]]
    addresses: frozenset[str]
    keys: frozenset[str]
    process_ids: frozenset[int]


def list_shared(holdings: Sequence[Holdings]) -> list[str]:
    """Return in words what any two of them share, nothing where all is well."""
    found = []
    for one, other in combinations(holdings, 2):
        pair = f"{one.code} and {other.code} share"
        if one.root == other.root or one.root in other.root.parents or other.root in one.root.parents:
            found.append(f"{pair} the folder {max(one.root, other.root, key=lambda root: len(root.parts))}")
        kinds: tuple[tuple[str, Iterable[object]], ...] = (
            ("a file", one.files & other.files),
            ("the address", one.addresses & other.addresses),
            ("a key", one.keys & other.keys),
            ("the process", one.process_ids & other.process_ids),
        )
        found += [f"{pair} {kind} {thing}" for kind, things in kinds for thing in things]
    return found


def read_holdings(code: str, folder: DataFolder, operator: OperatorFile) -> Holdings:
    """Return what a running platform has, as its folder and its processes tell; raises OSError or Failed."""
    urls = [url for url in (operator.platform_url, operator.gateway_url) if url]
    identities = (read_process(path) for path in folder.processes.glob("*.json"))
    return Holdings(
        code=code,
        root=folder.root.resolve(),
        files=frozenset(_walk_files(folder.root)),
        addresses=frozenset(str(parse_address(url.partition("://")[2])) for url in urls),
        keys=frozenset(
            {
                digest_secret(Secret(operator.api_key)),
                hash_public_key(ensure_identity(folder.platform / "identity.pem").public_key),
            }
        ),
        process_ids=frozenset(identity.pid for identity in identities if identity),
    )


def _walk_files(root: Path) -> Iterable[tuple[int, int]]:
    for parent, _, names in os.walk(root):
        for name in names:
            try:
                # Followed: a link into another's folder shares its file.
                found = (Path(parent) / name).stat()
            except FileNotFoundError:
                # A log of the database, or a file that was renamed meanwhile.
                continue
            yield (found.st_dev, found.st_ino)
