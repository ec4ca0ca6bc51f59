"""make/fuzz.sh says what a search ran and found, and fails when it found something. The fuzzer here is a stand-in."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ("bash", "dirname", "sed", "awk", "grep", "cut", "tail", "env", "cp", "ls", "mkdir", "rm", "wc", "id")
QUIET = """
echo '#2	INITED cov: 5 ft: 6 corp: 1/3b exec/s: 0 rss: 9Mb'
echo '#1234	DONE   cov: 218 ft: 486 corp: 12/642b lim: 47 exec/s: 617 rss: 9Mb'
echo 'stat::number_of_executed_units: 1234'
"""
LOUD = f"""{QUIET}
printf 'data: x\\n' >target/fuzz/findings/stream-crash-1
echo "thread 'main' panicked at crates/fuzz/src/stream.rs:7:5:"
echo 'left is not right'
echo "artifact_prefix='x'; Test unit written to target/fuzz/findings/stream-crash-1"
exit 77
"""


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with two parsers, and a PATH in `bin/` with a compiler that compiles nothing."""
    for name in ("fuzz.sh", "fuzz_inputs.py"):
        (tmp_path / "make").mkdir(exist_ok=True)
        shutil.copy(ROOT / "make" / name, tmp_path / "make" / name)
    for parser in ("request", "stream"):
        for path in (f"targets/{parser}.rs", f"seeds/{parser}.txt", f"dictionaries/{parser}.txt"):
            file = tmp_path / "crates/fuzz" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("a\n# b\n")
        write_program(tmp_path / f"target/fuzz/here/fuzz/fuzz-{parser}", QUIET)
    for name in TOOLS:
        found = shutil.which(name)
        assert found, name
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).symlink_to(found)
    (tmp_path / "bin/python3").symlink_to(sys.executable)
    write_program(tmp_path / "bin/rustc", "echo host: here")
    write_program(tmp_path / "bin/cargo", 'echo "$RUSTFLAGS $*" >cargo.txt')
    write_program(tmp_path / "bin/g++", "exit 0")
    return tmp_path


def run_fuzz(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(checkout / "make/fuzz.sh"), *arguments]
    environment = {"PATH": str(checkout / "bin")}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_each_parser_gets_a_line(checkout: Path) -> None:
    result = run_fuzz(checkout, "search", "20")
    assert (result.returncode, result.stderr) == (0, "")
    lines = [line.split() for line in result.stdout.splitlines()[1:]]
    numbers = ["20", "s", "1234", "executions", "218", "edges", "486", "features", "12", "inputs", "0", "findings"]
    assert lines == [["request", *numbers], ["stream", *numbers]]
    built = (checkout / "cargo.txt").read_text()
    assert "-Cpasses=sancov-module" in built
    assert "--locked" in built
    assert [file.read_bytes() for file in (checkout / "target/fuzz/inputs/stream").iterdir()] == [b"a"]


def test_a_finding_fails_and_is_shown_as_a_seed(checkout: Path) -> None:
    write_program(checkout / "target/fuzz/here/fuzz/fuzz-stream", LOUD)
    result = run_fuzz(checkout, "search", "20")
    assert result.returncode == 1
    assert "1 findings" in result.stdout
    assert "left is not right" in result.stderr
    assert "again: target/fuzz/here/fuzz/fuzz-stream target/fuzz/findings/stream-crash-1" in result.stderr
    assert result.stderr.endswith("\ndata: x\\n\n")


def test_one_parser_alone(checkout: Path) -> None:
    write_program(checkout / "target/fuzz/here/fuzz/fuzz-stream", LOUD)
    assert run_fuzz(checkout, "search", "20", "request").returncode == 0


def test_a_fuzzer_that_does_not_start_is_a_failure(checkout: Path) -> None:
    write_program(checkout / "target/fuzz/here/fuzz/fuzz-request", "echo no such thing; exit 1")
    result = run_fuzz(checkout, "search", "20")
    assert result.returncode == 1
    assert "no such thing" in result.stderr


def test_inputs_that_cannot_be_read_are_a_failure(checkout: Path) -> None:
    (checkout / "crates/fuzz/seeds/request.txt").write_bytes(b"\xff\n")
    result = run_fuzz(checkout, "search", "20")
    assert result.returncode != 0
    assert "executions" not in result.stdout


def test_without_a_compiler_it_says_what_brings_one(checkout: Path) -> None:
    (checkout / "bin/g++").unlink()
    result = run_fuzz(checkout, "search", "20")
    assert result.returncode == 1
    assert "apt install g++" in result.stderr


def test_what_was_merged_is_kept_without_the_seeds(checkout: Path) -> None:
    merge = 'printf b >"$2/new"; printf "longer\\n" >"$2/newer"'
    write_program(checkout / "target/fuzz/here/fuzz/fuzz-stream", merge)
    result = run_fuzz(checkout, "keep", "stream")
    assert result.returncode == 0, result.stderr
    assert (checkout / "crates/fuzz/corpus/stream.txt").read_text() == "b\nlonger\\n\n"
    assert result.stdout.endswith("crates/fuzz/corpus/stream.txt has 2 inputs\n")
