"""DIR/operator.json, 0600: where the platform and its gateway answer, and the operator's key; the command line reads it."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from keisan.domain.errors import Failed
from keisan.kit.private_file import write_private_file


@dataclass(frozen=True, slots=True)
class OperatorFile:
    """URLs are those of the last start, None before the first; the key's role is platform_admin.

    `ca_path` is the certificate to trust when they are https.
    """

    api_key: str = field(repr=False)
    platform_url: str | None = None
    gateway_url: str | None = None
    ca_path: str | None = None


def read_operator(path: Path) -> OperatorFile | None:
    """Return what is kept, None if there is nothing; raises Failed if it cannot be read."""
    try:
        return OperatorFile(**json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except PermissionError as fault:
        raise Failed(f"{path} belongs to another user; run as that user, or give --url and --key") from fault
    except (ValueError, TypeError) as fault:
        raise Failed(f"{path} is damaged; restore it from a copy", str(fault)) from fault


def write_operator(path: Path, content: OperatorFile) -> None:
    """Keep it; raises OSError."""
    write_private_file(path, json.dumps(asdict(content), indent=2).encode())


def note_platform(path: Path, platform_url: str, certificate: Path | None) -> None:
    """Note where the platform answers now, and keep the rest; raises Failed or OSError."""
    ca_path = str(certificate.absolute()) if certificate else None
    _change(path, lambda kept: replace(kept, platform_url=platform_url, ca_path=ca_path))


def note_gateway(path: Path, gateway_url: str) -> None:
    """Note where the gateway answers now, and keep the rest; raises Failed or OSError."""
    _change(path, lambda kept: replace(kept, gateway_url=gateway_url))


def _change(path: Path, change: Callable[[OperatorFile], OperatorFile]) -> None:
    kept = read_operator(path)
    if kept is None:
        raise Failed(f"{path} is gone; restore it from a copy")
    if change(kept) != kept:
        write_operator(path, change(kept))
