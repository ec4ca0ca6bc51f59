"""Gateways of platforms that are joined: a home without replicas, a parent, and one that serves, from folders made here."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

from keisan.domain.key import Secret
from keisan.domain.verdict import Verdict
from keisan.kit.private_file import write_private_file
from keisan.wire.snapshot import (
    Snapshot,
    SnapshotNeighbour,
    SnapshotPlatform,
    SnapshotPlatformOffer,
    SnapshotPlatformTicket,
    SnapshotTables,
    digest_tables,
    encode_snapshot,
)
from stage.certificates import Authority, CertificateFiles
from stage.engine import Engine, Platform
from stage.process import KEISAN, SUBJECT_CORE, Pinned, read_ready_line, start_pinned
from stage.snapshot import CHIP, MODEL, Governance, write_gateway_folder
from stage.subject import write_keys

HOME, PARENT, SERVING = "11" * 32, "22" * 32, "33" * 32
CURRENCY = "JPY"
ENDS_AT_MS = 4_000_000_000_000


@dataclass(frozen=True, slots=True)
class Member:
    """A gateway that runs: where clients call it, and where other platforms do."""

    name: str
    port: int
    key_path: Path
    pinned: Pinned


@dataclass(frozen=True, slots=True)
class Joined:
    """What all members share."""

    folder: Path
    keys: Sequence[Secret]
    engine: Engine
    platform: Platform
    authority: Authority
    ports: Mapping[str, int]

    def write_snapshots(self, address: str | None) -> None:
        """Write every member's folder; with an `address`, home is told that it may call the serving platform there."""
        (serving := self.folder / "serving").mkdir()
        write_gateway_folder(serving, self.keys, Governance(self.engine.sockets))
        kept = Snapshot.model_validate_json((serving / "gateway" / "snapshot.json").read_bytes())
        for name, platform_id in (("serving", SERVING), ("parent", PARENT), ("home", HOME)):
            folder = self.folder / name
            if name != "serving":
                folder.mkdir()
                write_gateway_folder(folder, self.keys, Governance(self.engine.sockets))
            identity = folder / "gateway" / "identity.json"
            text = json.dumps(json.loads(identity.read_text()) | {"platform_id": platform_id})
            write_private_file(identity, text.encode())
            tables = join_tables(kept.tables, platform_id, address)
            own = kept.model_copy(
                update={"platform_id": platform_id, "tables": tables, "digest": digest_tables(tables)}
            )
            write_private_file(folder / "gateway" / "snapshot.json", encode_snapshot(own))
            write_keys(folder / "keys", self.keys)

    def start(self, name: str, platform_id: str, own: Mapping[str, object]) -> Member:
        """Start a member's gateway; `own` is what its table of federation says beside the files."""
        files: CertificateFiles = self.authority.issue(platform_id)
        paths = {"certificate": files.certificate, "certificate_key": files.key, "ca": files.authorities}
        said = {**{key: str(path) for key, path in paths.items()}, **own}
        folder = self.folder / name
        lines = [
            "[gateway]",
            'listen = "127.0.0.1:0"',
            f"platform_url = {json.dumps(self.platform.url)}",
            "[gateway.federation]",
            *(f"{key} = {json.dumps(value)}" for key, value in said.items()),
        ]
        settings = folder / "settings.toml"
        settings.write_text("\n".join(lines) + "\n")
        command: list[str | Path] = [KEISAN, "gateway", "--data", folder, "--config", settings]
        pinned = start_pinned(f"keisan-{name}", command, SUBJECT_CORE, folder / "gateway.log", {})
        port = urlsplit(str(read_ready_line(pinned)["url"])).port
        assert port is not None
        return Member(name, port, folder / "keys", pinned)


def join_tables(tables: SnapshotTables, platform_id: str, address: str | None) -> SnapshotTables:
    """Return the tables of one member: only the serving one has replicas, and only home has an offer."""
    (price_id,) = {model.price_id for model in tables.models.values() if model.name == MODEL}
    (attested_at_ms,) = {replica.attested_at_ms for replica in tables.replicas.values()}
    rows = {
        HOME: SnapshotPlatform(name="home", region="JP-13", verdict=Verdict.OK, next_hop=PARENT, address=None),
        PARENT: SnapshotPlatform(name="parent", region="JP-13", verdict=Verdict.OK, next_hop=None, address=None),
        SERVING: SnapshotPlatform(name="serving", region="JP-13", verdict=Verdict.OK, next_hop=PARENT, address=address),
    }
    children = {child: SnapshotNeighbour(side="child") for child in (HOME, SERVING)}
    offer = SnapshotPlatformOffer(
        platform_id=SERVING,
        model=MODEL,
        model_digest="sha256:" + "5e" * 32,
        region="",
        chip=CHIP,
        facts=tables.chips[CHIP].facts,
        verdict=Verdict.OK,
        slots=100_000,
        price_id=price_id,
        attested_at_ms=attested_at_ms,
    )
    tickets = {
        str(UUID(int=number)): SnapshotPlatformTicket(
            organization_id=UUID(organization_id),
            home_platform_id=HOME,
            audience_platform_id=SERVING,
            policy="",
            currency=CURRENCY,
            price_ids={MODEL: price_id},
            ends_at_ms=ENDS_AT_MS,
        )
        for number, organization_id in enumerate(sorted(tables.organizations), 1)
    }
    return tables.model_copy(
        update={
            "replicas": tables.replicas if platform_id == SERVING else {},
            "platforms": {other: row for other, row in rows.items() if other != platform_id},
            "neighbours": children if platform_id == PARENT else {PARENT: SnapshotNeighbour(side="parent")},
            "platform_offers": {"offer": offer} if platform_id == HOME else {},
            "platform_tickets": {} if platform_id == PARENT else tickets,
        }
    )


def wait_until(is_done: Callable[[], bool], pause: Callable[[], None], tries: int, what: str) -> None:
    """Wait for something that takes a moment; raises RuntimeError if it does not come."""
    for _ in range(tries):
        if is_done():
            return
        pause()
    raise RuntimeError(f"{what}: it did not come")
