"""The settings of links: where children dial follows from where they are taken, unless it is said."""

import pytest
from pydantic import ValidationError

from keisan.daemon.settings_address import Address
from keisan.daemon.settings_link import LinkSettings


def test_where_children_dial() -> None:
    listen = Address("10.0.0.1", 9201)
    assert LinkSettings().outside_url == ""
    assert LinkSettings(listen=listen).outside_url == "wss://10.0.0.1:9201"
    assert LinkSettings(listen=listen, url="wss://cn.example:443").outside_url == "wss://cn.example:443"


def test_children_are_never_dialled_without_tls() -> None:
    with pytest.raises(ValidationError):
        LinkSettings(url="ws://cn.example:443")
