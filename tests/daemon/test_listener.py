"""Binding an address: a free port is taken, a taken one is named."""

import pytest

from keisan.daemon.listener import bind_listener
from keisan.daemon.settings_address import Address
from keisan.domain.errors import SettingsInvalid


def test_port_zero_takes_a_free_one() -> None:
    with bind_listener(Address("127.0.0.1", 0)) as listener:
        assert listener.getsockname()[1] > 0


def test_taken_port_is_named() -> None:
    with bind_listener(Address("127.0.0.1", 0)) as listener:
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(SettingsInvalid, match=f"expected a free address to listen on, got 127.0.0.1:{port}"):
            bind_listener(Address("127.0.0.1", port))


def test_address_of_another_machine_is_named() -> None:
    with pytest.raises(SettingsInvalid, match=r"192\.0\.2\.1:80"):
        bind_listener(Address("192.0.2.1", 80))
