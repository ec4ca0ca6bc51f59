"""A process that has loaded the code of others and forks them: eleven platforms on two cores spend half of their start loading it.

Each message on its standard input, a socket, is an order in JSON, and is answered by one. `{"arguments": [...], "environment": {...}}`,
with two open files for what is printed and for errors, forks `keisan` with these arguments: `{"pid": ...}`. `{"ended": pid}` waits for
one that it forked: `{"returncode": ...}`. It ends when the other end is closed; what it forked lives on.
"""

import gc
import importlib
import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from keisan.daemon.light_start import begin_imports
from keisan.daemon.main import main as run_process

MESSAGE_BYTES_MAX = 1024 * 1024
# How the kernel hands a process its first files.
_INPUT, _OUTPUT, _ERRORS = 0, 1, 2


def main() -> None:
    """Load the modules that sys.argv names after the folder it works for, and serve until nobody orders any more."""
    begin_imports()
    for name in sys.argv[2:]:
        importlib.import_module(name)
    # A collector that marks what is loaded would make each process's pages its own.
    gc.freeze()
    with socket.socket(fileno=os.dup(_INPUT)) as orders:
        forked = _serve(orders)
    if forked is not None:
        # What is forked has left the server's loop behind, and ends like any process.
        sys.argv = ["keisan", *forked]
        run_process()


def _serve(orders: socket.socket) -> Sequence[str] | None:
    """Answer orders until there are no more; returns the arguments of a process in the process that was forked for them."""
    while True:
        message, files, _, _ = socket.recv_fds(orders, MESSAGE_BYTES_MAX, 2)
        if not message:
            return None
        order = json.loads(message)
        if "ended" in order:
            orders.send(json.dumps({"returncode": _wait_for(order["ended"])}).encode())
            continue
        pid = os.fork()
        if pid == 0:
            _take_place(order["environment"], files)
            return list(order["arguments"])
        for each in files:
            os.close(each)
        orders.send(json.dumps({"pid": pid}).encode())


def _wait_for(pid: int) -> int:
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def _take_place(environment: Mapping[str, str], files: Sequence[int]) -> None:
    """Take on, as the new process, a session, the files and the environment of its own."""
    os.setsid()
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), _INPUT)
    for each, place in zip(files, (_OUTPUT, _ERRORS), strict=True):
        os.dup2(each, place)
        os.close(each)
    os.environ.clear()
    os.environ.update(environment)


if __name__ == "__main__":
    main()
