"""What any engine refuses."""

from dataclasses import replace
from pathlib import Path

import pytest

from keisan.domain.errors import InvalidInput
from keisan.engines.base import LaunchRequest, check_launch

REQUEST = LaunchRequest("m", Path("/m"), 1, 1, 1, Path("/" + "s" * 106), Path("/c"), Path("/"))


def test_longest_path_passes_and_one_byte_more_does_not() -> None:
    check_launch(REQUEST)
    with pytest.raises(InvalidInput, match="108 bytes, at most 107; choose a shorter data directory"):
        check_launch(replace(REQUEST, socket_path=Path("/" + "s" * 107)))
