"""`keisan resolve`: names are shown, and slips of the hand are told."""

from keisan.domain.name import NameType, PlatformName, encode_name
from tests.cli.conftest import CommandLine


def test_a_name_that_nobody_told_of_and_one_that_is_none(command_line: CommandLine) -> None:
    name = encode_name(PlatformName("zz", NameType.PLATFORM, "self"))
    unknown = command_line.run("resolve", name)
    assert (unknown.code, "no record here tells whose the prefix zz is" in unknown.aside) == (5, True)
    slipped = command_line.run("resolve", name.replace("zz", "zx"))
    assert (slipped.code, "check digits" in slipped.aside) == (2, True)
