"""keisan's gateway as a subject: the process that `keisan gateway` starts, Python shell included, from a folder made here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from keisan.domain.key import Secret
from stage.engine import Platform
from stage.process import KEISAN, SUBJECT_CORE, read_ready_line, start_pinned
from stage.snapshot import Governance, write_gateway_folder
from stage.subject import Subject, write_keys

CONNECTIONS_MAX = 20_000
TRACES_SAMPLED_PPM = 10_000


@dataclass(frozen=True, slots=True)
class GatewayPlace:
    """Where a gateway keeps its data, where it listens (0: a free port), and its relay's limits by name."""

    folder: Path
    port: int = 0
    limits: Mapping[str, int] = field(default_factory=dict)


def start_gateway(place: GatewayPlace, keys: Sequence[Secret], governance: Governance, platform: Platform) -> Subject:
    """Start a gateway for the first time."""
    place.folder.mkdir()
    write_keys(place.folder / "keys", keys)
    write_gateway_folder(place.folder, keys, governance)
    return restart_gateway(place, platform)


def restart_gateway(place: GatewayPlace, platform: Platform) -> Subject:
    """Start a gateway on the data that is in its folder."""
    listen = f"127.0.0.1:{place.port}"
    command: list[str | Path] = [
        KEISAN,
        "gateway",
        "--data",
        place.folder,
        "--listen",
        listen,
        "--platform-url",
        platform.url,
    ]
    limits = {"connections_max": CONNECTIONS_MAX, **place.limits}
    environment = {f"KEISAN_GATEWAY__LIMITS__{name.upper()}": str(value) for name, value in limits.items()}
    environment |= {
        "KEISAN_GATEWAY__OTLP_URL": platform.url,
        "KEISAN_GATEWAY__TRACE_SAMPLE_PPM": str(TRACES_SAMPLED_PPM),
    }
    pinned = start_pinned("keisan", command, SUBJECT_CORE, place.folder / "gateway.log", environment)
    port = urlsplit(str(read_ready_line(pinned)["url"])).port
    assert port is not None
    return Subject("keisan", port, place.folder / "keys", pinned, platform)
