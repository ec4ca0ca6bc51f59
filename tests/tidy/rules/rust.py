"""Rust: function length, parameters, and a reason beside each silenced lint."""

import re

from tests.tidy.rule import Rule
from tests.tidy.rust import find_functions
from tests.tidy.tree import Tree, Violation

LINES_MAX = 60
PARAMETERS_MAX = 5
ALLOW = re.compile(r"#!?\[(?:allow|expect)\(")


def check_length(tree: Tree) -> list[Violation]:
    return [
        file.report(function.line, f"{function.name} has {function.line_count} lines, at most {LINES_MAX}")
        for file in tree.select_rust()
        for function in find_functions(file.text)
        if function.line_count > LINES_MAX
    ]


def check_parameters(tree: Tree) -> list[Violation]:
    return [
        file.report(
            function.line, f"{function.name} has {function.parameter_count} parameters, at most {PARAMETERS_MAX}"
        )
        for file in tree.select_rust()
        for function in find_functions(file.text)
        if function.parameter_count > PARAMETERS_MAX
    ]


def check_allow_reason(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select_rust():
        for match in ALLOW.finditer(file.text):
            attribute = file.text[match.start() : file.text.find("]", match.start())]
            if "reason" not in attribute:
                line = file.text.count("\n", 0, match.start()) + 1
                found.append(file.report(line, 'a silenced lint says why: #[allow(..., reason = "...")]'))
    return found


def check_manifest_allow(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select("Cargo.toml"):
        for number, line in enumerate(file.lines, 1):
            is_allowed = re.search(r'=\s*(?:"allow"|\{[^}]*level\s*=\s*"allow")', line)
            previous = file.lines[number - 2].strip() if number > 1 else ""
            if is_allowed and "#" not in line and not previous.startswith("#"):
                found.append(file.report(number, "a silenced lint says why, in a comment beside it"))
    return found


RULES = (
    Rule(
        "Rust function length",
        check_length,
        planted=({"crates/relay/src/x.rs": "fn f<T: Fn(u8) -> u8>(a: u8) -> u8 {\n" + "    g();\n" * 59 + "}\n"},),
        allowed=(
            {"crates/relay/src/x.rs": "fn f() {\n" + "    g();\n" * 58 + "}\n"},
            {"crates/relay/src/x.rs": "fn f() { g('{', \"{\"); } // {\n" + "// a\n" * 70},
        ),
    ),
    Rule(
        "Rust parameters",
        check_parameters,
        planted=({"crates/relay/src/x.rs": "fn f(a: u8, b: u8, c: u8, d: u8, e: u8, g: u8) {}\n"},),
        allowed=({"crates/relay/src/x.rs": "fn f(&mut self, a: A<u8, u8>, b: (u8, u8), c: u8, d: u8, e: u8) {}\n"},),
    ),
    Rule(
        "Rust allow",
        check_allow_reason,
        planted=({"crates/relay/src/x.rs": "#![allow(clippy::cast_lossless)]\n"},),
        allowed=({"crates/relay/src/x.rs": '#[allow(clippy::cast_lossless, reason = "proved above")]\n'},),
    ),
    Rule(
        "Cargo allow",
        check_manifest_allow,
        planted=({"Cargo.toml": 'module_name_repetitions = "allow"\n'},),
        allowed=({"Cargo.toml": 'module_name_repetitions = "allow" # names are read unqualified\nall = "warn"\n'},),
    ),
)
