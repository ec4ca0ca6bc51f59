"""`keisan capacity`: kinds side by side, "unknown" where nothing is known and never nought."""

from pathlib import Path

from keisan.cli.capacity import describe_total
from keisan.sdk import TotalView
from tests.cli.conftest import CommandLine

SURVEY = "region,owner,device_count,memory_bytes,pflops_fp16,source,date,grade\nCN-SX,Datong,100,,80,X,2026-01-01,C\n"


def test_totals_in_words() -> None:
    assert describe_total(None, str) == "unknown"
    assert describe_total(TotalView(value=None, untold_rows=1), str) == "unknown"
    assert describe_total(TotalView(value=0, untold_rows=0), str) == "0"
    assert describe_total(TotalView(value=12, untold_rows=1), str) == "12+"


def test_kinds_stand_side_by_side(command_line: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "survey.csv"
    file.write_text(SURVEY)
    command_line.run("surveys", "upload", str(file))
    site = command_line.run("sites", "list", "--json").told[0]
    words = ("--memory-bytes", "1048576", "--bandwidth", "2048", "--gflops", "fp16=1500")
    claim = command_line.run("claims", "make", site["name"], "nvidia-h20", "16", *words, "--json").told
    shown = command_line.run("capacity").out
    rows = [[cell for cell in line.split("  ") if cell.strip()] for line in shown.splitlines()]
    cells = {
        tuple(cell.strip() for cell in row[:2]): [cell.strip() for cell in row[2:]] for row in rows if len(row) == 7
    }
    unknown = "unknown"
    assert (cells["CN-SX", "devices"][0], cells["CN-SX", "devices"][4]) == (unknown, "100")
    assert (cells["CN-SX", "fp16"][0], cells["CN-SX", "fp16"][4]) == (unknown, "80 PFLOPS")
    # What is connected depends on whether a site of this platform has told its inventory in another test.
    assert (cells[site["region"], "devices"][0], cells[site["region"], "devices"][4]) == ("16", unknown)
    assert cells[site["region"], "bandwidth"][0] == "2.0 KiB/s"
    assert (cells["all", "memory"][0], cells["all", "memory"][4]) == ("1.0 MiB", unknown)
    assert "the share of all compute that is connected: " in shown
    told = command_line.run("capacity", "--by", "origin", "--json").told
    assert {"US", None} <= {line["value"] for line in told["lines"]}
    command_line.run("claims", "withdraw", claim["id"])
    command_line.run("surveys", "withdraw", "X", "2026-01-01")
    assert "connected: " in command_line.run("capacity").out
