"""Ids of limits name an owner and a kind, and nothing else does."""

import pytest

from keisan.domain.errors import InvalidInput
from keisan.domain.share import LimitKind, LimitName, LimitOwner, parse_limit_id
from tests.domain.samples import KEY_ID


@pytest.mark.parametrize("owner", LimitOwner)
@pytest.mark.parametrize("kind", LimitKind)
def test_limit_id_names_owner_and_kind(owner: LimitOwner, kind: LimitKind) -> None:
    name = LimitName(owner, KEY_ID, kind)
    assert name.id == f"{owner}:{KEY_ID}:{kind}"
    assert parse_limit_id(name.id) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"site:{KEY_ID}:requests",
        f"key:{KEY_ID}:bytes",
        f"key:{KEY_ID.hex}:requests",
        f"key:{str(KEY_ID).upper()}:requests",
        f"key:{KEY_ID}:requests ",
        f"key:{KEY_ID}:requests\n",
        f" key:{KEY_ID}:requests",
        f"key:{KEY_ID}",
    ],
)
def test_other_texts_name_no_limit(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_limit_id(text)
