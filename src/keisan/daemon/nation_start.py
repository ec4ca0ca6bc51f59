"""`keisan demo nation` from its options: the log of this process, what is shown, and the steps."""

from pathlib import Path

from rich.console import Console

from keisan.cli.exit_code import ExitCode
from keisan.daemon.nation import NationRequest, run_nation
from keisan.daemon.nation_plan import plan_nation
from keisan.daemon.nation_step import list_steps
from keisan.daemon.progress import Progress
from keisan.executors.local import rotate_log
from keisan.kit.clock import SystemClock
from keisan.kit.observe import start_logs
from keisan.kit.private_file import create_private_folder


async def start_nation(root: Path, province_count: int, *, is_json: bool) -> ExitCode:
    """Run a nation in a folder until Ctrl-C; raises as run_nation does."""
    create_private_folder(root)
    log = root / "nation.log"
    rotate_log(log)
    with log.open("a") as stream:
        start_logs("nation", "info", stream)
        request = NationRequest(
            root=root,
            plans=plan_nation(province_count),
            steps=list_steps(is_json=is_json),
            progress=Progress(Console(stderr=is_json, emoji=False)),
            clock=SystemClock(),
        )
        return await run_nation(request)
