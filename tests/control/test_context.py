"""What commands share: the actor's name, and the version that must be the one seen."""

import pytest

from keisan.control.context import check_version, name_actor
from keisan.domain.access import PlatformScope, Principal
from keisan.domain.errors import VersionMismatch
from keisan.kit.ids import create_id


def test_actor_names_the_key() -> None:
    key_id = create_id()
    assert name_actor(Principal(key_id, PlatformScope(), frozenset())) == f"key:{key_id}"


def test_other_version_is_refused_with_both_numbers() -> None:
    check_version(3, 3)
    with pytest.raises(VersionMismatch, match="stored version is 3, If-Match names 2"):
        check_version(3, 2)
