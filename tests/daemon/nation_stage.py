"""A nation that starts no process: folders, settings and supervisors as they are, and steps that a test gives."""

import io
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from keisan.daemon.nation import Nation, NationRequest, NationStep
from keisan.daemon.nation_plan import plan_nation
from keisan.daemon.operator_file import OperatorFile, write_operator
from keisan.daemon.platform_identity import ensure_identity
from keisan.daemon.progress import Progress
from keisan.kit.clock import SystemClock


def build_request(root: Path, *steps: NationStep, screen: io.StringIO | None = None) -> NationRequest:
    """Return a nation of three platforms."""
    progress = Progress(Console(file=screen or io.StringIO(), force_terminal=False, width=200))
    return NationRequest(root, plan_nation(2), steps, progress, SystemClock())


def give_identities(nation: Nation, addresses: Sequence[tuple[str, str]]) -> None:
    """Give each platform what its first start would have left on the disk."""
    for platform, (platform_url, gateway_url) in zip(nation.platforms, addresses, strict=True):
        ensure_identity(platform.folder.platform / "identity.pem")
        write_operator(
            platform.folder.operator_path, OperatorFile(f"sk-keisan-{platform.plan.code}", platform_url, gateway_url)
        )


def list_addresses(count: int) -> list[tuple[str, str]]:
    """Return addresses of which no two are alike, and where nobody answers."""
    return [(f"http://127.0.0.1:{2 * number + 1}", f"http://127.0.0.1:{2 * number + 2}") for number in range(count)]
