"""Bodies of the registers that say who is who: read back as written, with room for what only a newer platform says."""

import msgspec
import pytest

from keisan.domain.errors import InvalidInput
from keisan.wire.name import (
    decode_key_chain,
    encode_key_chain,
    read_name_body,
    read_platform_body,
    read_revocation_body,
)
from tests.federation.tree import Person

PARENT = Person("cn")
CHILD = PARENT.bear("sx", "CN-SX")
CHILD.rotate()


def test_bodies_are_read_back_as_they_were_written() -> None:
    platform, name = read_platform_body(CHILD.tell()), read_name_body(PARENT.vouch(CHILD))
    assert (platform.parent_id, platform.keys) == (PARENT.id, encode_key_chain(CHILD.chain))
    assert (name.platform_id, name.region) == (CHILD.id, "CN-SX")
    assert name.keys is not None
    assert decode_key_chain(name.keys) == CHILD.chain
    assert read_revocation_body(PARENT.revoke(CHILD, at_ms=4)).revoked[0].revoked_at_ms == 4


def test_what_only_a_newer_platform_says_is_passed_over() -> None:
    body = msgspec.json.decode(PARENT.vouch(CHILD).body) | {"colour": "green"}
    assert read_name_body(PARENT.write("name", "cn.sx", msgspec.json.encode(body))).platform_id == CHILD.id


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b"{}", b'{"keys": 3}'])
@pytest.mark.parametrize("read", [read_name_body, read_platform_body, read_revocation_body])
def test_what_is_no_such_body_is_refused(read: type, body: bytes) -> None:
    with pytest.raises(InvalidInput):
        read(PARENT.write("name", "x", body))
