"""Documents that an agent keeps: JSON with a schema version, mode 0600, replaced as a whole."""

import json
from collections.abc import Mapping
from pathlib import Path

from keisan.kit.private_file import write_private_file

SCHEMA_VERSION = 1


def read_document(path: Path) -> dict[str, object]:
    """Return the document at `path`; raises OSError, or ValueError when it is not one of this schema version."""
    kept = json.loads(path.read_bytes())
    if not isinstance(kept, dict) or kept.get("schema_version") != SCHEMA_VERSION:
        raise ValueError(f"expected a document of schema version {SCHEMA_VERSION}")
    return kept


def write_document(path: Path, content: Mapping[str, object]) -> None:
    """Replace the document at `path`, on disk when this returns; raises OSError."""
    write_private_file(path, json.dumps({"schema_version": SCHEMA_VERSION, **content}, indent=2).encode())
