"""Addresses in settings: what they are read from, and which only this host can reach."""

import pytest

from keisan.daemon.settings_address import Address, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:80", Address("127.0.0.1", 80)), ("[::1]:0", Address("::1", 0)), ("a.b:1", Address("a.b", 1))],
)
def test_an_address_is_read_and_written(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert str(parse_address(text)) == text
    assert parse_address(address) is address


@pytest.mark.parametrize("text", ["", "80", ":80", "a:", "a:x", "a:65536"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        parse_address(text)


def test_only_loopback_is_loopback() -> None:
    assert [Address(host, 1).is_loopback for host in ("127.9.9.9", "::1", "localhost", "0.0.0.0", "a.b")] == [
        True,
        True,
        True,
        False,
        False,
    ]
