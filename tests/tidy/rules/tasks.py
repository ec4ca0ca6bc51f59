"""Tasks have owners and queues have limits."""

import ast

from tests.tidy.rule import Rule
from tests.tidy.rules.effects import walk_calls
from tests.tidy.tree import Tree, Violation, format_dotted

QUEUES = frozenset(
    f"{module}{kind}" for module in ("asyncio.", "queue.", "") for kind in ("Queue", "LifoQueue", "PriorityQueue")
)
ENDLESS_QUEUES = frozenset({"queue.SimpleQueue", "SimpleQueue"})
BARE_TASKS = frozenset({"asyncio.create_task", "asyncio.ensure_future", "create_task", "ensure_future"})
LOOPS = frozenset({"get_running_loop", "get_event_loop", "new_event_loop"})


def _is_loop(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        return format_dotted(node.func).rpartition(".")[2] in LOOPS
    return format_dotted(node).rpartition(".")[2].strip("_") in {"loop", "event_loop"}


def check_tasks(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select(".py", "src/", "bench/"):
        for call, name in walk_calls(file):
            is_loop_task = (
                isinstance(call.func, ast.Attribute) and call.func.attr == "create_task" and _is_loop(call.func.value)
            )
            if name in BARE_TASKS or is_loop_task:
                found.append(file.report(call, "a task needs an owner: asyncio.TaskGroup"))
    return found


def check_queues(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select_modules():
        for call, name in walk_calls(file):
            if name in ENDLESS_QUEUES or (name in QUEUES and not _is_bounded(call)):
                found.append(file.report(call, "a queue needs its maxsize"))
    return found


def _is_bounded(call: ast.Call) -> bool:
    sizes = [*call.args[:1], *(keyword.value for keyword in call.keywords if keyword.arg == "maxsize")]
    return any(not (isinstance(size, ast.Constant) and not size.value) for size in sizes)


def plant(text: str) -> dict[str, str]:
    return {"src/keisan/agent/x.py": text}


RULES = (
    Rule(
        "task owner",
        check_tasks,
        planted=(
            plant("asyncio.create_task(f())\n"),
            plant("asyncio.ensure_future(f())\n"),
            plant("asyncio.get_running_loop().create_task(f())\n"),
            plant("self._loop.create_task(f())\n"),
        ),
        allowed=(
            plant("async def f():\n    async with asyncio.TaskGroup() as group:\n        group.create_task(g())\n"),
        ),
    ),
    Rule(
        "queue limit",
        check_queues,
        planted=(
            plant("asyncio.Queue()\n"),
            plant("asyncio.Queue(0)\n"),
            plant("queue.Queue(maxsize=0)\n"),
            plant("queue.SimpleQueue()\n"),
        ),
        allowed=(plant("asyncio.Queue(8)\nqueue.Queue(maxsize=EVENTS_MAX)\n"),),
    ),
)
