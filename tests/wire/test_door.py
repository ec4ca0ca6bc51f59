"""What may stand for a door's host: what is sent to gateways goes into an address, and nothing else must fit there."""

import pytest
from pydantic import ValidationError

from keisan.wire.door import DoorReport

DIGEST = "ab" * 32


@pytest.mark.parametrize("host", ["door.example", "10.0.0.1", "::1", "2001:db8::1", "a_b-c.example", "x" * 253])
def test_names_and_addresses_are_hosts(host: str) -> None:
    assert DoorReport(host=host, port=1, is_tls=True).host == host


@pytest.mark.parametrize("host", ["", "a b", "user@door", "door:80", "[::1]", "door/x", "door?x", "x" * 254, "a\n"])
def test_whatever_else_fits_an_address_is_refused(host: str) -> None:
    with pytest.raises(ValidationError):
        DoorReport(host=host, port=1, is_tls=True)


@pytest.mark.parametrize(
    "change", [{"port": 65536}, {"digests": (DIGEST,) * 3}, {"digests": (DIGEST.upper(),)}, {"x": 1}]
)
def test_bounds_are_kept(change: dict[str, object]) -> None:
    good: dict[str, object] = {"host": "door", "port": 65535, "is_tls": True, "digests": (DIGEST,) * 2}
    DoorReport.model_validate(good)
    with pytest.raises(ValidationError):
        DoorReport.model_validate(good | change)
