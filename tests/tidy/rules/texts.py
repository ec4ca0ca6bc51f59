"""Texts of tracked files: markers have entries, and no machine and no registry is named."""

import re
from pathlib import PurePosixPath

from tests.tidy.rule import Rule
from tests.tidy.tree import Tree, Violation

QUESTIONS = "docs/open-questions.md"
# Written in two halves, so that this file keeps its own rule.
MARKER = re.compile(r"\b(?:" + "TO" + r"DO)\b(?:\((?P<key>Q\d+)\))?")
BANNED_MARKER = re.compile(r"\b(?:" + "FIX" + "ME|X" + "XX|HA" + r"CK)\b")
MACHINE_PATH = re.compile(r"(?<![\w./:-])/(?:work|root|home/\w+|Users/\w+|opt/wheels)(?:/|\b)")
REGISTRY_HOSTS = tuple(
    f"{name}.{end}"
    for name, end in (
        ("py" + "pi", "org"),
        ("python" + "hosted", "org"),
        ("crates", "i" + "o"),
        ("npm" + "js", "org"),
        ("deb.de" + "bian", "org"),
        ("proxy.go" + "lang", "org"),
        ("maven", "or" + "g"),
        ("docker", "i" + "o"),
    )
)
# Cargo writes its index into its own lock file, and only there.
HOST_FREE = frozenset({"Cargo.lock"})
CODE_SUFFIXES = frozenset({".py", ".rs", ".sh", ".toml", ".in", ".sql", ".md", ".yml", ".yaml", ".css", ".js", ""})


def check_markers(tree: Tree) -> list[Violation]:
    questions = tree.files[QUESTIONS].text if QUESTIONS in tree.files else ""
    found = []
    for file in tree.files.values():
        if PurePosixPath(file.path).suffix not in CODE_SUFFIXES or file.path == "LICENSE":
            continue
        for number, line in enumerate(file.lines, 1):
            if BANNED_MARKER.search(line):
                found.append(file.report(number, "finish it, or ask in docs/open-questions.md"))
            for match in MARKER.finditer(line):
                if not match["key"] or f"## {match['key']} " not in questions:
                    found.append(file.report(number, "a marker names its entry: (Q7), as in docs/open-questions.md"))
    return found


def check_machine_paths(tree: Tree) -> list[Violation]:
    return [
        file.report(number, "a path of one machine")
        for file in tree.files.values()
        for number, line in enumerate(file.lines, 1)
        if MACHINE_PATH.search(line)
    ]


def check_hosts(tree: Tree) -> list[Violation]:
    return [
        file.report(number, "names a registry's host; ordinary clients know it")
        for file in tree.files.values()
        if file.path not in HOST_FREE
        for number, line in enumerate(file.lines, 1)
        if any(re.search(rf"(?<![\w-]){re.escape(host)}(?!\w)", line) for host in REGISTRY_HOSTS)
    ]


RULES = (
    Rule(
        "markers",
        check_markers,
        planted=(
            {"src/keisan/kit/x.py": "# FIX" + "ME later\n"},
            {"src/keisan/kit/x.py": "# TO" + "DO later\n"},
            {"src/keisan/kit/x.py": "# TO" + "DO(Q9) later\n", QUESTIONS: "## Q1 Something\n"},
        ),
        allowed=({"src/keisan/kit/x.py": "# TO" + "DO(Q1) later\n", QUESTIONS: "## Q1 Something\n"},),
    ),
    Rule(
        "machine paths",
        check_machine_paths,
        planted=({"docs/x.md": "see /wo" + "rk/main\n"}, {"src/keisan/kit/x.py": "A = '/ro" + "ot/.cache'\n"}),
        allowed=({"docs/x.md": "/tmp/x, /usr/lib/x, docs/how-to/wo" + "rk/x, the root, http://host/wo" + "rk\n"},),
    ),
    Rule(
        "registry hosts",
        check_hosts,
        planted=(
            {"requirements/run.txt": "--index-url https://py" + "pi.org/simple\n"},
            {"x.toml": "files.python" + "hosted.org"},
        ),
        allowed=({"Cargo.lock": "crates" + ".io"}, {"docs/x.md": "from PyPI\n"}),
    ),
)
