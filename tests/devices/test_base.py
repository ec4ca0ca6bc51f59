"""What every benchmark asks between two parts of its work."""

import pytest

from keisan.devices.base import check_wanted
from keisan.domain.errors import Failed


def test_work_that_is_not_wanted_fails() -> None:
    check_wanted(lambda: True)
    with pytest.raises(Failed):
        check_wanted(lambda: False)
