"""Running one process to its end: logs, SIGTERM and Ctrl-C as an event, faults as an exit code, the line that says ready."""

import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TextIO, cast

from keisan.cli.exit_code import ExitCode, choose_exit_code
from keisan.daemon.child_log import BoundedLog
from keisan.daemon.light_start import end_imports
from keisan.domain.errors import KeisanError
from keisan.kit.observe import start_logs, write_log

Work = Callable[[asyncio.Event], Awaitable[None]]
LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def run_process(
    name: str, work: Work, log_level: str, log_path: Path | None, open_loop: LoopFactory | None = None
) -> ExitCode:
    """Run `work` until it ends by itself or on a signal, which sets the event it is given; on a loop of `open_loop`'s."""
    end_imports()
    start_logs(name, log_level, cast("TextIO", BoundedLog(log_path)) if log_path else None)
    try:
        with asyncio.Runner(loop_factory=open_loop) as runner:
            runner.run(_run_until_signalled(work))
    except KeisanError as fault:
        return tell_fault(fault)
    except BaseExceptionGroup as group:
        first = find_first(group)
        if not isinstance(first, KeisanError):
            raise
        return tell_fault(first)
    write_log("process.ended", process=name)
    return ExitCode.OK


def announce_ready(**fields: str) -> None:
    """Print the one line of standard output by which a process says that it answers, and where."""
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def tell_fault(fault: KeisanError) -> ExitCode:
    """Print a fault for people, without a traceback, and return the exit code it stands for."""
    sys.stderr.write(f"keisan: {fault.outside}\n")
    if fault.inside:
        sys.stderr.write(f"  ({fault.inside})\n")
    return choose_exit_code(fault)


def find_first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first exception in a tree of groups."""
    first = group.exceptions[0]
    return find_first(first) if isinstance(first, BaseExceptionGroup) else first


async def _run_until_signalled(work: Work) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await work(stop)
