"""`keisan demo nation` from its options: the log of this process, what is shown, and the steps."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from keisan.cli.exit_code import ExitCode
from keisan.daemon.nation import NationRequest, run_nation
from keisan.daemon.nation_cut import NationCut, read_cut
from keisan.daemon.nation_plan import plan_nation
from keisan.daemon.nation_sabotage import Sabotage
from keisan.daemon.nation_step import list_check_steps, list_watch_steps
from keisan.daemon.progress import Progress
from keisan.domain.errors import InvalidInput
from keisan.executors.local import rotate_log
from keisan.kit.clock import SystemClock
from keisan.kit.observe import start_logs
from keisan.kit.private_file import create_private_folder


@dataclass(frozen=True, slots=True)
class NationOptions:
    """What the command line says. `is_checking` ends the nation after its check, which finds out what `sabotage` does.

    `cut` names a province that is cut off while one watches, and for how long.
    """

    root: Path
    province_count: int
    is_json: bool = False
    is_checking: bool = False
    sabotage: str | None = None
    cut: tuple[str, str] | None = None


async def start_nation(options: NationOptions) -> ExitCode:
    """Run a nation in a folder until Ctrl-C or the end of its check; raises as run_nation does."""
    root = options.root
    plans = plan_nation(options.province_count)
    is_watched = not options.is_checking
    steps = list_watch_steps(is_json=options.is_json) if is_watched else list_check_steps(read_sabotage(options))
    if options.cut is not None:
        cut = NationCut(read_cut(options.cut, plans), options.is_json)
        plans, steps = cut.plan.add_cable(plans), cut.add_steps(steps)
    create_private_folder(root)
    log = root / "nation.log"
    rotate_log(log)
    with log.open("a") as stream:
        start_logs("nation", "info", stream)
        request = NationRequest(
            root=root,
            plans=plans,
            steps=steps,
            progress=Progress(Console(stderr=options.is_json or options.is_checking, emoji=False)),
            clock=SystemClock(),
        )
        return await run_nation(request)


def read_sabotage(options: NationOptions) -> Sabotage | None:
    """Return what is sabotaged; raises InvalidInput for what is none."""
    if options.sabotage is None:
        return None
    if options.sabotage not in list(Sabotage):
        raise InvalidInput(f"expected one of {', '.join(Sabotage)}, got {options.sabotage!r}", "sabotage")
    return Sabotage(options.sabotage)
