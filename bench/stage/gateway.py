"""keisan's gateway as a subject: the process that `keisan gateway` starts, Python shell included, from a folder made here."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from keisan.domain.key import Secret
from stage.engine import Platform
from stage.process import SUBJECT_CORE, read_ready_line, start_pinned
from stage.snapshot import Governance, write_gateway_folder
from stage.subject import Subject, write_keys

KEISAN = Path(sys.executable).with_name("keisan")


def start_gateway(
    folder: Path,
    keys: Sequence[Secret],
    governance: Governance,
    platform: Platform,
    limits: Mapping[str, int] | None = None,
) -> Subject:
    """Start a gateway with its data in `folder`; `limits` are the relay's, by name."""
    folder.mkdir()
    write_gateway_folder(folder, keys, governance)
    return restart_gateway(folder, write_keys(folder / "keys", keys), platform, limits)


def restart_gateway(
    folder: Path, key_path: Path, platform: Platform, limits: Mapping[str, int] | None = None
) -> Subject:
    """Start a gateway on the data that an earlier one left in `folder`."""
    command = [KEISAN, "gateway", "--data", folder, "--listen", "127.0.0.1:0", "--platform-url", platform.url]
    # One connection is waited for by each open stream, and so each counts.
    given = {"connections_max": 20_000, **(limits or {})}
    environment = {f"KEISAN_GATEWAY__LIMITS__{name.upper()}": str(value) for name, value in given.items()}
    pinned = start_pinned("keisan", command, SUBJECT_CORE, folder / "gateway.log", environment)
    port = urlsplit(str(read_ready_line(pinned)["url"])).port
    assert port is not None
    return Subject("keisan", port, key_path, pinned, platform)
