"""Tables of the settings file."""

import pytest
from pydantic import ValidationError

from keisan.daemon.settings_section import Section


class Own(Section):
    """A table."""

    count: int = 1


def test_what_nobody_knows_is_a_fault_and_what_is_set_stays() -> None:
    own = Own.model_validate({"count": 2})
    with pytest.raises(ValidationError):
        Own.model_validate({"counts": 2})
    with pytest.raises(ValidationError):
        own.count = 3
