"""Logs of names and values under headings."""

import re

from keisan.devices.log_text import read_log

TEXT = """Driver Version : 5.0
Attached : 2
DEV 0
    Memory
        Total : 4 MiB
        Used :  1 MiB
    L3
        Total : 9 MiB
    PCI
        Bus Id : 00000000:01:00.0
        Link Info
        Width : 16x
    Processes :
        Id : 7
DEV 1
\tMemory :
\t\tTotal : 8 MiB
"""


def test_blocks_are_told_apart_and_paths_follow_headings() -> None:
    head, blocks = read_log(TEXT, re.compile(r"DEV \d+$"))
    assert head.fields == {"Driver Version": "5.0", "Attached": "2"}
    first, second = blocks
    assert first.title == "DEV 0"
    assert first.find("Memory/Total") == "4 MiB"
    assert first.find("L3/Total") == "9 MiB"
    assert first.find("Bus Id") == "00000000:01:00.0"
    assert first.find("PCI/Width") == "16x"
    assert first.find("Processes/Id") == "7"
    assert second.find("Memory/Total") == "8 MiB"


def test_the_first_name_that_there_is_is_found() -> None:
    _, (first, _) = read_log(TEXT, re.compile(r"DEV \d+$"))
    assert first.find("None", "Memory/Used", "Memory/Total") == "1 MiB"
    assert first.find("None") == ""


def test_the_first_value_of_a_name_counts() -> None:
    _, (block,) = read_log("DEV 0\n  A : 1\n  A : 2\n", re.compile(r"DEV \d+$"))
    assert block.fields == {"A": "1"}


def test_a_text_without_devices_is_all_head() -> None:
    head, blocks = read_log("A : 1\n\n", re.compile(r"DEV \d+$"))
    assert (head.fields, blocks) == ({"A": "1"}, ())
