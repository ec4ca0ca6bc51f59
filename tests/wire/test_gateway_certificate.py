"""What a gateway may ask: a key of 32 bytes in hex."""

import pytest
from pydantic import ValidationError

from keisan.wire.gateway_certificate import CERTIFICATE_CHARACTERS_MAX, GatewayCertificateAsk


def test_a_key_is_32_bytes_in_hex_and_a_certificate_is_bounded() -> None:
    assert GatewayCertificateAsk(public_key="ab" * 32).certificate == ""
    for wrong in ("ab" * 31, "AB" * 32, "zz" * 32):
        with pytest.raises(ValidationError):
            GatewayCertificateAsk(public_key=wrong)
    with pytest.raises(ValidationError):
        GatewayCertificateAsk(public_key="ab" * 32, certificate="x" * (CERTIFICATE_CHARACTERS_MAX + 1))
