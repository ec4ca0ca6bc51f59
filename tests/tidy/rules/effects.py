"""Effects have one door: time, environment, commit, broad excepts, processes, the network's patience."""

import ast
from collections.abc import Iterator

from tests.tidy.rule import Rule
from tests.tidy.tree import SourceFile, Tree, Violation, find_room, format_dotted

# The three loop owners: the lease loop, the server's edge, the agent's supervisor.
BROAD_EXCEPT_PATHS = frozenset(
    {"src/keisan/control/lease.py", "src/keisan/api/edge.py", "src/keisan/agent/supervisor.py"}
)
BROAD = frozenset({"Exception", "BaseException"})
CLOCK_PATH = "src/keisan/kit/clock.py"
CLOCK_CALLS = frozenset(
    {f"datetime.{name}" for name in ("now", "utcnow", "today")}
    | {f"datetime.datetime.{name}" for name in ("now", "utcnow", "today")}
    | {"date.today", "datetime.date.today", "asyncio.sleep"}
    | {f"time.{name}{end}" for name in ("time", "monotonic", "perf_counter", "process_time") for end in ("", "_ns")}
    | {"time.sleep", "time.localtime", "time.gmtime"}
)
FORKS = frozenset({"os.fork", "os.forkpty", "pty.fork"})
# Runs no relay, and its tests say so.
FORK_SERVER = "src/keisan/daemon/fork_server.py"
PATIENT_CALLS = frozenset(
    {"asyncio.open_connection", "asyncio.open_unix_connection", "asyncio.start_tls", "websockets.connect"}
)
TIMED_CALLS = frozenset(
    {"httpx.Client", "httpx.AsyncClient", "subprocess.run", "subprocess.check_output", "subprocess.check_call"}
    | {f"httpx.{verb}" for verb in ("get", "post", "put", "patch", "delete", "head", "request", "stream")}
)


def walk_calls(file: SourceFile) -> Iterator[tuple[ast.Call, str]]:
    """Yield every call with the dotted name that it calls."""
    yield from ((node, format_dotted(node.func)) for node in file.nodes if isinstance(node, ast.Call))


def _list_caught(node: ast.ExceptHandler) -> set[str]:
    if node.type is None:
        return {"BaseException"}
    elements = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    return {format_dotted(element) for element in elements}


def _is_cleanup(node: ast.ExceptHandler) -> bool:
    """Tell whether it is `except BaseException` that undoes and re-raises, which swallows nothing."""
    last = node.body[-1]
    return (
        node.type is not None and "BaseException" in _list_caught(node) and isinstance(last, ast.Raise) and not last.exc
    )


def check_broad_except(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select_modules():
        if file.path in BROAD_EXCEPT_PATHS:
            continue
        for node in file.nodes:
            if isinstance(node, ast.ExceptHandler) and _list_caught(node) & BROAD and not _is_cleanup(node):
                found.append(file.report(node, "a broad except belongs to the three loop owners"))
        for call, name in walk_calls(file):
            if name.endswith("suppress") and any(format_dotted(argument) in BROAD for argument in call.args):
                found.append(file.report(call, "a broad suppress belongs to the three loop owners"))
    return found


def check_environment(tree: Tree) -> list[Violation]:
    return [
        file.report(node, "the environment is read in daemon only")
        for file in tree.select_modules()
        if find_room(file.path) != "daemon"
        for node in file.nodes
        if (isinstance(node, ast.Attribute) and format_dotted(node) in {"os.environ", "os.getenv", "os.environb"})
        or (
            isinstance(node, ast.ImportFrom)
            and node.module == "os"
            and {"environ", "getenv"} & {n.name for n in node.names}
        )
    ]


def check_clock(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select_modules():
        if file.path == CLOCK_PATH:
            continue
        # sleep(0) lets others run and no time pass.
        yields = {id(call.func) for call, name in walk_calls(file) if name == "asyncio.sleep" and _is_zero(call)}
        for node in file.nodes:
            if isinstance(node, ast.Attribute) and format_dotted(node) in CLOCK_CALLS and id(node) not in yields:
                found.append(file.report(node, f"{format_dotted(node)}: time comes from kit.clock"))
            if isinstance(node, ast.ImportFrom) and node.module == "time":
                found.append(file.report(node, "time comes from kit.clock"))
    return found


def _is_zero(call: ast.Call) -> bool:
    return bool(call.args) and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0


def check_commit(tree: Tree) -> list[Violation]:
    commits = [
        (file, call)
        for file in tree.select_modules()
        for call, _ in walk_calls(file)
        if isinstance(call.func, ast.Attribute) and call.func.attr == "commit"
    ]
    paths = sorted({file.path for file, _ in commits if find_room(file.path) == "storage"})
    return [file.report(call, "commit has one door in storage") for file, call in commits if file.path not in paths[:1]]


def check_forks(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select_modules():
        for call, name in walk_calls(file):
            is_fork = name in FORKS and file.path != FORK_SERVER
            if is_fork or any(keyword.arg == "preexec_fn" for keyword in call.keywords):
                found.append(file.report(call, "no fork: the relay's threads would not survive it (R13)"))
        for node in file.nodes:
            if isinstance(node, ast.Import | ast.ImportFrom) and "multiprocessing" in ast.unparse(node):
                found.append(file.report(node, "no multiprocessing: it forks; start a process through the supervisor"))
    return found


def _walk_timed(file: SourceFile) -> set[int]:
    """Return the ids of the nodes inside `asyncio.timeout(...)` blocks or `asyncio.wait_for(...)` calls."""
    inside: set[int] = set()
    for node in file.nodes:
        is_block = isinstance(node, ast.AsyncWith) and any(
            isinstance(item.context_expr, ast.Call)
            and format_dotted(item.context_expr.func).startswith("asyncio.timeout")
            for item in node.items
        )
        is_call = isinstance(node, ast.Call) and format_dotted(node.func) == "asyncio.wait_for"
        if is_block or is_call:
            inside |= {id(child) for child in ast.walk(node)}
    return inside


def check_timeouts(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select(".py"):
        timed = _walk_timed(file)
        for call, name in walk_calls(file):
            if name in PATIENT_CALLS and id(call) not in timed:
                found.append(file.report(call, f"{name} waits for ever: put it inside asyncio.timeout"))
            is_ours = file.path.startswith("src/") or name.startswith("subprocess.")
            if (
                name in TIMED_CALLS
                and is_ours
                and not any(keyword.arg in {"timeout", None} for keyword in call.keywords)
            ):
                found.append(file.report(call, f"{name} needs its timeout"))
    return found


def plant(path: str, text: str) -> dict[str, str]:
    return {f"src/keisan/{path}": text}


RULES = (
    Rule(
        "broad except",
        check_broad_except,
        planted=(
            plant("api/x.py", "try:\n    f()\nexcept Exception:\n    pass\n"),
            plant("api/x.py", "try:\n    f()\nexcept (OSError, BaseException) as error:\n    pass\n"),
            plant("api/x.py", "try:\n    f()\nexcept:\n    raise\n"),
            plant("api/x.py", "with contextlib.suppress(Exception):\n    f()\n"),
        ),
        allowed=(
            plant("control/lease.py", "try:\n    f()\nexcept Exception:\n    pass\n"),
            plant("api/x.py", "try:\n    f()\nexcept BaseException:\n    undo()\n    raise\n"),
        ),
    ),
    Rule(
        "environment",
        check_environment,
        planted=(plant("api/x.py", "a = os.environ['A']\n"), plant("api/x.py", "from os import getenv\n")),
        allowed=(plant("daemon/x.py", "a = os.environ['A']\n"),),
    ),
    Rule(
        "clock",
        check_clock,
        planted=(
            plant("api/x.py", "a = datetime.now(UTC)\n"),
            plant("api/x.py", "a = time.monotonic()\n"),
            plant("api/x.py", "field(default_factory=time.time)\n"),
            plant("api/x.py", "async def f():\n    await asyncio.sleep(1)\n"),
        ),
        allowed=(
            plant("kit/clock.py", "a = time.monotonic()\n"),
            plant("api/x.py", "a = clock.now()\n"),
            plant("api/x.py", "asyncio.sleep(0)\n"),
        ),
    ),
    Rule(
        "commit",
        check_commit,
        planted=(
            plant("api/x.py", "session.commit()\n"),
            plant("storage/x.py", "a.commit()\n") | plant("storage/y.py", "a.commit()\n"),
        ),
        allowed=(plant("storage/x.py", "a.commit()\nb.commit()\n"),),
    ),
    Rule(
        "fork",
        check_forks,
        planted=(
            plant("agent/x.py", "os.fork()\n"),
            plant("agent/x.py", "subprocess.Popen([], preexec_fn=f)\n"),
            plant("agent/x.py", "from multiprocessing import Process\n"),
            plant("daemon/fork_server.py", "import multiprocessing\n"),
        ),
        allowed=(
            plant("agent/x.py", "subprocess.Popen([], start_new_session=True)\n"),
            plant("daemon/fork_server.py", "os.fork()\n"),
        ),
    ),
    Rule(
        "timeouts",
        check_timeouts,
        planted=(
            plant("agent/x.py", "async def f():\n    await asyncio.open_unix_connection('a')\n"),
            plant("sdk/x.py", "httpx.AsyncClient(base_url='a')\n"),
            {"tests/x.py": "subprocess.run(['a'], check=True)\n"},
        ),
        allowed=(
            plant(
                "agent/x.py",
                "async def f():\n    async with asyncio.timeout(1):\n        await asyncio.open_unix_connection('a')\n",
            ),
            plant("sdk/x.py", "httpx.AsyncClient(base_url='a', timeout=1)\nsubprocess.run(['a'], timeout=1)\n"),
        ),
    ),
)
