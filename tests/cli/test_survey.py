"""`keisan surveys`: handed in, listed, written as a table, withdrawn."""

from pathlib import Path

from tests.cli.conftest import CommandLine

TABLE = (
    "region,owner,chip,device_count,pflops_fp16,source,date,grade\r\nCN-SX,Datong,,100,80.5,a yearbook,2026-01-01,C\r\n"
)


def test_survey_is_handed_in_listed_and_withdrawn(command_line: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "survey.csv"
    file.write_text(TABLE, newline="")
    assert command_line.run("surveys", "upload", str(file)).out == "1 created\n"
    listed = command_line.run("surveys", "list").out
    assert all(word in listed for word in ("CN-SX", "Datong", "100", "fp16 80.5 PFLOPS", "a yearbook", "unknown"))
    exported = command_line.run("surveys", "list", "--csv").out
    assert exported.splitlines() == [line.replace(",,", ",") for line in TABLE.replace("chip,", "").splitlines()]
    file.write_text(exported, newline="")
    assert command_line.run("surveys", "upload", str(file)).out == "1 unchanged\n"
    assert command_line.run("surveys", "upload", str(file), key=command_line.developer_key).code == 4
    withdrawn = command_line.run("surveys", "withdraw", "a yearbook", "2026-01-01")
    assert (withdrawn.code, withdrawn.out) == (0, "1 deleted\n")
    assert command_line.run("surveys", "withdraw", "a yearbook", "2026-01-01").code == 5
    assert command_line.run("surveys", "list", "--json").told == []
