"""Turns the kept inputs of a fuzz target into a folder of files for libFuzzer, and such a folder into kept inputs.

An input is a line: printable ASCII as it is, the rest as Python's bytes are escaped. `#` begins a comment.
"""

import hashlib
import itertools
import sys
from pathlib import Path

# Of one parser. Small inputs reach most of what large ones do, and a repository is cloned by everyone.
KEPT_BYTES_MAX = 200_000


def unescape_line(line: str) -> bytes:
    """Return the input that a line stands for."""
    return line.encode("latin-1").decode("unicode_escape").encode("latin-1")


def escape_input(content: bytes) -> str:
    """Return the line of an input; an editor may trim it, and it is no comment."""
    line = content.decode("latin-1").encode("unicode_escape").decode("ascii")
    line = f"\\x23{line[1:]}" if line.startswith("#") else line
    return f"{line[:-1]}\\x20" if line.endswith(" ") else line


def read_kept(path: Path) -> list[bytes]:
    """Return the inputs that a file of lines holds."""
    lines = path.read_text(encoding="ascii").splitlines()
    return [unescape_line(line) for line in lines if line and not line.startswith("#")]


def unpack_inputs(folder: Path, paths: list[Path]) -> None:
    """Write each input into a file of its own, named by its content."""
    folder.mkdir(parents=True, exist_ok=True)
    for content in (content for path in paths for content in read_kept(path)):
        (folder / hashlib.sha256(content).hexdigest()).write_bytes(content)


def pack_inputs(folder: Path, path: Path, others: list[Path]) -> None:
    """Write the inputs of a folder as lines, the shortest first and as many as may be kept, without those of other files."""
    elsewhere = {content for other in others for content in read_kept(other)}
    contents = {file.read_bytes() for file in folder.iterdir()} - elsewhere
    kept = sorted((content for content in contents if content), key=lambda content: (len(content), content))
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{escape_input(content)}\n" for content in kept]
    ends = itertools.accumulate(len(line) for line in lines)
    fitting = [line for line, end in zip(lines, ends, strict=True) if end <= KEPT_BYTES_MAX]
    path.write_text("".join(fitting), encoding="ascii")


def main() -> int:
    """Run `unpack FOLDER FILE...`, `pack FOLDER FILE OTHER...` or `show INPUT`."""
    action, *arguments = sys.argv[1:]
    first, *paths = (Path(argument) for argument in arguments)
    if action == "unpack":
        unpack_inputs(first, paths)
    elif action == "pack":
        pack_inputs(first, paths[0], paths[1:])
    else:
        print(escape_input(first.read_bytes()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
