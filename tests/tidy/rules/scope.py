"""Every storage read takes a Scope; the list of those that cannot may only shrink."""

import ast

from tests.tidy.rule import Rule
from tests.tidy.rules.functions import Function
from tests.tidy.tree import Tree, Violation

READ_PREFIXES = ("get", "list", "find", "sum", "count", "read")
# Class.method -> why it has no scope. May only shrink.
EXCEPTIONS = {
    "PlatformRepository.find": "there is one platform in a database",
    "PlatformRepository.get": "same",
    "KeyRepository.find_by_digest": "the digest finds whose scope it is",
    "MachineRepository.find_by_digest": "same",
    "JoinTokenRepository.find_by_digest": "same",
    "UsageRepository.find_digests": "intake runs as the platform itself, before a record has an owner",
    "SnapshotRepository.get_mark": "the snapshot is the platform's own",
    "SnapshotRepository.list_changes": "same",
    "ArchiveRepository.get_cursor": "how far files reach, and which there are, is the platform's own: no record is told",
    "ArchiveRepository.list_pending": "same",
    "ArchiveRepository.list_files": "same",
    "ArchiveRepository.list_names": "same",
    "ArchiveRepository.list_mergeable": "same",
    "ArchiveRepository.list_replaced": "same",
    "IdempotencyRepository.find": "the principal is narrower than any scope",
}


def check_scope(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select(".py", "src/keisan/storage/base"):
        reads = {
            f"{holder.name}.{method.name}": method
            for holder in file.nodes
            if isinstance(holder, ast.ClassDef) and holder.name.endswith("Repository")
            for method in holder.body
            if isinstance(method, Function) and method.name.startswith(READ_PREFIXES)
        }
        for name, method in reads.items():
            scoped = any(argument.arg == "scope" for argument in [*method.args.args, *method.args.kwonlyargs])
            if not scoped and name not in EXCEPTIONS:
                found.append(file.report(method, f"{name}: a storage read takes a Scope"))
            if scoped and name in EXCEPTIONS:
                found.append(file.report(method, f"{name} takes a Scope now; strike it from the exceptions"))
    return found


def plant(text: str, stem: str = "base") -> dict[str, str]:
    return {f"src/keisan/storage/{stem}.py": f"class KeyRepository(Protocol):\n    async def {text}: ...\n"}


RULES = (
    Rule(
        "storage scope",
        check_scope,
        planted=(
            plant("list(self, page)"),
            plant("get(self, key_id)"),
            plant("find_by_digest(self, scope, digest)"),
            plant("list(self, page)", "base_price"),
        ),
        allowed=(plant("get(self, scope, key_id)"), plant("find_by_digest(self, digest)"), plant("insert(self, key)")),
    ),
)
