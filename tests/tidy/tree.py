"""The files that rules look at: the repository's own, or a planted handful; parsed once."""

import ast
import io
import subprocess
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

LIST_S_MAX = 30


@dataclass(frozen=True, slots=True)
class Violation:
    """One place where a rule is broken."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


@dataclass(frozen=True)
class SourceFile:
    """A file of text with its path from the repository's root."""

    path: str
    text: str

    @property
    def stem(self) -> str:
        """The file's name without its ending."""
        return PurePosixPath(self.path).stem

    @cached_property
    def lines(self) -> list[str]:
        """The file line by line."""
        return self.text.splitlines()

    @cached_property
    def tree(self) -> ast.Module:
        """The file as Python reads it."""
        return ast.parse(self.text, self.path)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of the tree, walked once for all rules."""
        return list(ast.walk(self.tree))

    @cached_property
    def comments(self) -> dict[int, str]:
        """Python's comments by line."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}

    def report(self, node: ast.AST | int, text: str) -> Violation:
        """Return a violation at a node or a line."""
        line = node if isinstance(node, int) else getattr(node, "lineno", 1)
        return Violation(self.path, line, text)


class Tree:
    """A set of files by path."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.files = {path: SourceFile(path, text) for path, text in sorted(texts.items())}

    def select(self, suffix: str, *prefixes: str) -> Iterator[SourceFile]:
        """Yield the files with an ending, under any of the prefixes (all if none is given)."""
        for path, file in self.files.items():
            if path.endswith(suffix) and (not prefixes or path.startswith(prefixes)):
                yield file

    def select_modules(self) -> Iterator[SourceFile]:
        """Yield the Python files of the product."""
        yield from self.select(".py", "src/keisan/")

    def select_rust(self) -> Iterator[SourceFile]:
        """Yield the Rust files of the product."""
        yield from self.select(".rs", "crates/")


def load_tree(root: Path) -> Tree:
    """Return the repository's files: tracked ones and new ones that git does not ignore."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True, timeout=LIST_S_MAX).stdout
    texts = {}
    for path in listed.decode().split("\0"):
        file = root / path
        if path and file.is_file() and not file.is_symlink():
            content = file.read_bytes()
            if b"\0" not in content:
                texts[path] = content.decode("utf-8")
    return Tree(texts)


def find_room(path: str) -> str:
    """Return the room of a module's path, empty for a file of the package itself."""
    parts = PurePosixPath(path).parts
    return parts[2] if path.startswith("src/keisan/") and len(parts) > 3 else ""


def format_dotted(node: ast.AST) -> str:
    """Return `a.b.c` of a name or an attribute chain, empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner = format_dotted(node.value)
        return f"{owner}.{node.attr}" if owner else ""
    return ""
