"""`keisan claims`: made, listed, written as a table, withdrawn."""

from pathlib import Path

from tests.cli.conftest import CommandLine


def test_claim_is_made_listed_and_withdrawn(command_line: CommandLine, tmp_path: Path) -> None:
    site = command_line.run("sites", "list", "--json").told[0]
    words = ("--racks", "4", "--memory-bytes", "1048576", "--bandwidth", "7", "--gflops", "fp16=2500000")
    made = command_line.run("claims", "make", site["name"], "metax-c600", "16", *words)
    assert (made.code, made.out) == (0, f"{site['name']}: 16 x metax-c600, fp16 2.5 PFLOPS\n")
    bare = command_line.run("claims", "make", site["name"], "who-knows", "1", "--json").told
    listed = command_line.run("claims", "list").out
    assert all(word in listed for word in ("metax-c600", "fp16 2.5 PFLOPS", "1.0 MiB", "unknown"))
    file = tmp_path / "claims.csv"
    file.write_text(command_line.run("claims", "list", "--csv").out, newline="")
    assert "pflops_fp16" in file.read_text()
    assert command_line.run("claims", "upload", str(file)).out == "2 unchanged\n"
    assert command_line.run("claims", "withdraw", bare["id"]).out == "withdrawn: 1 x who-knows\n"
    own = [claim for claim in command_line.run("claims", "list", "--json").told if claim["site_id"] == site["id"]]
    assert [claim["chip"] for claim in own] == ["metax-c600"]
    assert command_line.run("claims", "withdraw", own[0]["id"]).code == 0


def test_odd_words_are_faults(command_line: CommandLine) -> None:
    site = command_line.run("sites", "list", "--json").told[0]
    refused = command_line.run("claims", "make", site["name"], "metax-c600", "1", "--gflops", "fp16=much")
    assert (refused.code, "expected PRECISION=GFLOPS" in refused.aside) == (2, True)
    assert command_line.run("claims", "make", site["name"], "metax-c600", "1", "--gflops", "1").code == 2
    assert command_line.run("claims", "make", "nowhere", "metax-c600", "1").code == 5
    key = command_line.developer_key
    assert command_line.run("claims", "list", "--json", key=key).told == []
