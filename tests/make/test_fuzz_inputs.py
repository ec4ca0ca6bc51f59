"""Kept inputs of fuzz targets: any bytes are one line of plain text and come back as they were."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "make/fuzz_inputs.py"
EVERY_BYTE = bytes(range(256))


def run_script(*arguments: str | Path) -> str:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout


def write_inputs(folder: Path, contents: list[bytes]) -> None:
    folder.mkdir()
    for number, content in enumerate(contents):
        (folder / str(number)).write_bytes(content)


def read_inputs(folder: Path) -> set[bytes]:
    return {file.read_bytes() for file in folder.iterdir()}


def test_any_bytes_are_a_line_and_come_back(tmp_path: Path) -> None:
    contents = [bytes([byte]) for byte in EVERY_BYTE] + [EVERY_BYTE, EVERY_BYTE[::-1], b"\\x41", b"a  ", b"# a"]
    write_inputs(tmp_path / "inputs", contents)
    kept = tmp_path / "kept.txt"
    run_script("pack", tmp_path / "inputs", kept)
    lines = kept.read_text(encoding="ascii").splitlines()
    assert len(lines) == len(contents)
    assert [line for line in lines if line != line.rstrip() or line.startswith("#")] == []
    run_script("unpack", tmp_path / "again", kept)
    assert read_inputs(tmp_path / "again") == set(contents)


def test_what_other_files_hold_is_not_kept_twice(tmp_path: Path) -> None:
    seeds, corpus = tmp_path / "seeds.txt", tmp_path / "corpus.txt"
    seeds.write_text("# a comment\n\nseed\\n\n")
    write_inputs(tmp_path / "inputs", [b"longer", b"b", b"b", b"", b"seed\n"])
    run_script("pack", tmp_path / "inputs", corpus, seeds)
    assert corpus.read_text() == "b\nlonger\n"
    run_script("unpack", tmp_path / "again", seeds, corpus)
    assert read_inputs(tmp_path / "again") == {b"seed\n", b"b", b"longer"}


def test_the_longest_inputs_are_not_kept_where_they_are_too_many(tmp_path: Path) -> None:
    write_inputs(tmp_path / "inputs", [letter * length for letter in (b"a", b"b") for length in (10, 60_000, 70_000)])
    run_script("pack", tmp_path / "inputs", tmp_path / "kept.txt")
    lengths = [len(line) for line in (tmp_path / "kept.txt").read_text().splitlines()]
    assert lengths == [10, 10, 60_000, 60_000, 70_000]


def test_an_input_is_shown_as_its_line(tmp_path: Path) -> None:
    (tmp_path / "input").write_bytes(b"a\xff\n")
    assert run_script("show", tmp_path / "input") == "a\\xff\\n\n"
