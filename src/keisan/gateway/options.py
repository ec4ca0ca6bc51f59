"""What one gateway process is told: whom it serves, where it listens, where it keeps its state, and its limits."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from keisan.domain.key import Secret
from keisan.gateway.identity import Identity


@dataclass(frozen=True, slots=True)
class Listener:
    """An address, and the certificate files if it speaks TLS; port 0 takes a free one.

    A process that gives its listener away at `handover_path` is succeeded, and this one gives it away there in turn.
    """

    host: str
    port: int
    certificate_path: Path | None = None
    certificate_key_path: Path | None = None
    handover_path: Path | None = None


@dataclass(frozen=True, slots=True)
class FederationOptions:
    """How this gateway speaks with those of other platforms: PEM files, and addresses as host:port.

    `parents` are dialled, or else those that the snapshot tells; children and siblings come in at `listen`. Where `is_given`, the
    platform gives what is in the files.
    """

    certificate_path: Path
    certificate_key_path: Path
    ca_path: Path
    listen: str | None = None
    parents: tuple[str, ...] = ()
    is_given: bool = False


@dataclass(frozen=True, slots=True)
class GatewayOptions:
    """`folder` (0700) holds identity, snapshot, shares and spool. `relay_limits` are those of the relay's options, by name.

    `upstream_ca_path` is the certificate file that sites' doors are checked against.
    `exchange_s` is how long the first and the last word on credit may take: a platform that is away must hold up neither the start
    nor the end; the next start says the same, and tickets end by time.
    Without `otlp_url` no spans are collected; `trace_sample_ppm` is the part of the traces begun here that is sampled.
    """

    platform_url: str
    ca_path: str | None
    folder: Path
    name: str
    join_token: Secret | None
    listener: Listener
    upstream_ca_path: Path | None = None
    federation: FederationOptions | None = None
    worker_threads: int = 1
    relay_limits: Mapping[str, int] = field(default_factory=dict)
    drain_s: float = 30.0
    last_upload_s: float = 10.0
    exchange_s: float = 2.0
    otlp_url: str | None = None
    trace_sample_ppm: int = 10_000

    @property
    def identity_path(self) -> Path:
        """Return where the machine's identity is kept."""
        return self.folder / "identity.json"

    @property
    def snapshot_path(self) -> Path:
        """Return where the last snapshot is kept."""
        return self.folder / "snapshot.json"

    @property
    def shares_path(self) -> Path:
        """Return where the last shares of rate limits are kept."""
        return self.folder / "shares.json"

    @property
    def incarnation_path(self) -> Path:
        """Return where the last incarnation is kept."""
        return self.folder / "incarnation"

    @property
    def spool_folder(self) -> Path:
        """Return where the relay spools usage records."""
        return self.folder / "spool"


def format_relay_options(options: GatewayOptions, identity: Identity, incarnation: UUID) -> str:
    """Return the relay's options as JSON (schema: keisan._native.Relay)."""
    listener = options.listener
    return json.dumps(
        {
            "gateway_id": str(identity.machine_id),
            "platform_id": identity.platform_id,
            "incarnation": str(incarnation),
            "listen_host": listener.host,
            "listen_port": listener.port,
            "certificate_path": format_path(listener.certificate_path),
            "certificate_key_path": format_path(listener.certificate_key_path),
            "handover_path": format_path(listener.handover_path),
            "upstream_ca_path": format_path(options.upstream_ca_path),
            "spool_directory": str(options.spool_folder),
            "federation": _format_federation(options.federation),
            "worker_threads": options.worker_threads,
            "trace_sample_ppm": options.trace_sample_ppm if options.otlp_url else None,
            "limits": dict(options.relay_limits),
        }
    )


def _format_federation(options: FederationOptions | None) -> dict[str, object] | None:
    if options is None:
        return None
    return {
        "certificate_path": str(options.certificate_path),
        "certificate_key_path": str(options.certificate_key_path),
        "ca_path": str(options.ca_path),
        "listen": options.listen,
        "parents": list(options.parents),
    }


def format_path(path: Path | None) -> str | None:
    """Return a path as options say it."""
    return None if path is None else str(path)
