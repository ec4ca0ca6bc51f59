"""Reads Rust just well enough for house rules: blanks comments and strings, finds functions and declared names."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

# Order matters: a quote inside a comment opens nothing, and the other way round.
TOKEN = re.compile(
    r"//[^\n]*"
    r"|/\*.*?\*/"
    r'|b?r(?P<hashes>#*)".*?"(?P=hashes)'
    r'|b?"(?:\\.|[^"\\])*"'
    r"|b?'(?:\\(?:x[0-9a-fA-F]{2}|u\{[0-9a-fA-F]+\}|.)|[^'\\\n])'",
    re.DOTALL,
)
FUNCTION = re.compile(r"\bfn\s+([A-Za-z_]\w*)")
DECLARED = re.compile(
    r"\b(?:fn|struct|enum|trait|mod|const|static|type)\s+(?:mut\s+)?([A-Za-z_]\w*)"
    r"|\blet\s+(?:mut\s+)?([a-z_]\w*)"
    r"|(?:^|[{(,])\s*(?:pub(?:\([a-z]+\))?\s+)?(?:mut\s+)?([a-z_]\w*)\s*:(?!:)",
    re.MULTILINE,
)
CLOSING = {"(": ")", "{": "}", "<": ">"}


@dataclass(frozen=True, slots=True)
class RustFunction:
    """A function with a body: where it starts, how long it is, what it takes."""

    name: str
    line: int
    line_count: int
    parameter_count: int


def blank(text: str) -> str:
    """Return the text with comments, strings and characters replaced by spaces, so that positions stay."""

    def erase(match: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", match.group())

    return TOKEN.sub(erase, text)


def count_line(text: str, position: int) -> int:
    """Return the line of a position, from 1."""
    return text.count("\n", 0, position) + 1


def find_declared_names(text: str) -> Iterator[tuple[int, str]]:
    """Yield (line, name) of what a file declares: items, variables, fields, parameters."""
    code = blank(text)
    for match in DECLARED.finditer(code):
        name = next(group for group in match.groups() if group)
        yield count_line(code, match.end()), name


def find_functions(text: str) -> Iterator[RustFunction]:
    """Yield every function that has a body."""
    code = blank(text)
    for match in FUNCTION.finditer(code):
        opening = _find_parameters(code, match.end())
        if opening is None:
            continue
        closing = _find_closing(code, opening)
        body = re.compile(r"[{;]").search(code, closing)
        if body is None or body.group() == ";":
            continue
        end = _find_closing(code, body.start())
        line = count_line(code, match.start())
        parameters = _count_parameters(code[opening + 1 : closing])
        yield RustFunction(match.group(1), line, count_line(code, end) - line + 1, parameters)


def _find_parameters(code: str, start: int) -> int | None:
    """Return where the parameter list opens, past the generics, if there are any."""
    depth = 0
    for position in range(start, len(code)):
        character = code[position]
        is_arrow = character == ">" and code[position - 1] == "-"
        if character == "(" and depth == 0:
            return position
        if character in "{;" and depth == 0:
            return None
        depth += (character == "<") - (character == ">" and not is_arrow)
    return None


def _find_closing(code: str, opening: int) -> int:
    """Return the position of the bracket that closes the one at `opening`."""
    opener, closer = code[opening], CLOSING[code[opening]]
    depth = 0
    for position in range(opening, len(code)):
        depth += (code[position] == opener) - (code[position] == closer)
        if depth == 0:
            return position
    return len(code)


def _count_parameters(inside: str) -> int:
    """Return how many parameters stand between the brackets, without self."""
    depth = 0
    parameters = [""]
    previous = ""
    for character in inside:
        depth += (character in "(<[{") - (character in ")]}" or (character == ">" and previous != "-"))
        if character == "," and depth == 0:
            parameters.append("")
        else:
            parameters[-1] += character
        previous = character
    named = [parameter for parameter in parameters if parameter.strip()]
    return sum(not re.fullmatch(r"&?\s*('\w+\s+)?(mut\s+)?self(\s*:.*)?", parameter.strip()) for parameter in named)
