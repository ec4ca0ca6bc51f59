"""`keisan receipt`: what is fetched is verified without asking anybody, and a forgery is a fault with a name."""

from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine
from tests.wire.test_receipt import FORGERIES, GOOD, PLATFORM_ID


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A good receipt."""
    path = tmp_path / "receipt.json"
    path.write_text(GOOD.model_dump_json())
    return path


def test_good_receipt_is_told_line_by_line(command_line: CommandLine, file: Path) -> None:
    answer = command_line.run("receipt", "verify", str(file), "--platform", PLATFORM_ID)
    assert answer.code == 0
    assert answer.out.startswith("this receipt is good\n")
    assert f"platform {PLATFORM_ID}" in answer.out
    assert "0.0000305 CNY" in answer.out
    told = command_line.run("receipt", "verify", str(file), "--json").told
    assert (told["is_valid"], told["entry"], told["record"]["amount_nano"]) == (True, 1, "30500")


def test_receipt_may_come_by_standard_input(command_line: CommandLine) -> None:
    assert command_line.run("receipt", "verify", "-", typed=GOOD.model_dump_json()).code == 0


def test_forgery_is_a_fault(command_line: CommandLine, file: Path) -> None:
    field, forged = FORGERIES["amount"]
    file.write_text(forged.model_dump_json())
    answer = command_line.run("receipt", "verify", str(file))
    assert answer.code == 2
    assert (answer.out, f"({field})" in answer.aside) == ("", True)
    told = command_line.run("receipt", "verify", str(file), "--json").told
    assert told["error"]["code"] == "receipt_invalid"


@pytest.mark.parametrize("platform_id", ["12" * 32, "none"])
def test_other_platform_is_a_fault(command_line: CommandLine, file: Path, platform_id: str) -> None:
    assert command_line.run("receipt", "verify", str(file), "--platform", platform_id).code == 2


def test_file_that_is_not_there_is_a_fault(command_line: CommandLine, tmp_path: Path) -> None:
    answer = command_line.run("receipt", "verify", str(tmp_path / "none"))
    assert (answer.code, "cannot be read" in answer.aside) == (2, True)


def test_record_without_a_receipt_is_not_found(command_line: CommandLine) -> None:
    assert command_line.run("receipt", "get", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6").code == 5
