"""Effects are values: every kind of them is alike when its parts are, and nobody changes one on its way."""

from dataclasses import FrozenInstanceError, fields
from typing import get_args

import pytest

from keisan.federation.effect import Effect, LinkFault, Send


def test_every_effect_is_a_value() -> None:
    for kind in get_args(Effect):
        parts = [object() for _ in fields(kind)]
        assert kind(*parts) == kind(*parts)
        assert hash(kind(*parts)) == hash(kind(*parts))


def test_an_effect_cannot_be_changed_on_its_way() -> None:
    effect = Send(b"x")
    with pytest.raises(FrozenInstanceError):
        effect.data = b"y"  # type: ignore[misc]  # what is tried


def test_a_fault_says_its_code() -> None:
    fault = LinkFault("flood", "too much")
    assert (fault.code, fault.text, str(fault)) == ("flood", "too much", "too much")
